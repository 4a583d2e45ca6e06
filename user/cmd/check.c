/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - gotrace check: would it work here, and on this process? What is missing, and the exact
 * fix. */
#include "capture/features.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/session.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>

struct check_cmd {
	unsigned pid;
};

static const struct option_row rows[] = {
	{ "pid", 'p', OPT_UINT, offsetof(struct check_cmd, pid), "PID",
	  "also look at this process" },
};

static bool check_features(void)
{
	bool all = true;

	for (size_t i = 0; i < n_features; i++) {
		const struct feature *f = &features[i];
		char detail[128] = "";
		bool there = f->probe(detail) == 1;

		printf("  %-4s %-26s %s\n",
		       there          ? "ok"
		       : f->is_needed ? "NO"
				      : "no",
		       f->name, detail);
		if (!there)
			printf("       %-26s since Linux %s: %s\n", "", f->since, f->fix);
		all &= there || !f->is_needed;
	}
	return all;
}

static int check_process(int pid)
{
	struct plan_options po = { .with_syscalls = true, .with_user = true };
	struct session s;
	struct why why = { "" };
	int err = session_open_pid(pid, &po, &s, &why);

	if (!err) {
		struct snapshot_source src = {
			.process = s.process,
			.plan = s.plan,
			.text_lo = s.text_lo,
			.text_hi = s.text_hi,
		};

		printf("\n  process %d: %s, %s%s, %zu sites, offsets from %s\n", pid,
		       s.process->comm, s.build.version.text, s.image->is_pie ? ", PIE" : "",
		       s.plan->n_sites, s.plan->offsets_from);
		for (size_t i = 0; i < s.plan->notes.n; i++)
			printf("       note: %s\n", s.plan->notes.v[i]);
		err = snapshot_prove(&src, &why);
		session_close(&s);
	}
	if (err) {
		printf("  NO   process %d: %s\n", pid, why.text);
		return exit_code_of(err);
	}
	printf("  ok   its goroutines, threads and Ps are where they should be\n");
	printf("\n  next:  gotrace -p %d -d 5s -o trace.out\n", pid);
	return 0;
}

int cmd_check(int argc, char **argv)
{
	struct check_cmd opt = { 0 };
	struct why why = { "" };
	int first, err = options_parse(rows, ARRAY_SIZE(rows), &opt, argc, argv, &first, &why);

	if (err == -ECANCELED) {
		printf("usage: gotrace check [-p PID]\n\n");
		options_help(rows, ARRAY_SIZE(rows));
		return 0;
	}
	if (!err && first != argc)
		err = why_set(&why, -EINVAL, "no operand is expected: '%s'", argv[first]);
	if (err)
		return misuse("check", &why);
	libbpf_set_print(NULL);
	bool all = check_features();
	int code = opt.pid ? check_process((int)opt.pid) : 0;

	return all ? code : EXIT_FAILED;
}
