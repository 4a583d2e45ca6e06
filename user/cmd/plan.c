/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c - gotrace plan: the sites that record would probe, without attaching. */
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct plan_cmd {
	unsigned pid;
	bool with_sweep;
};

static const struct option_row rows[] = {
	{"pid", 'p', OPT_UINT, offsetof(struct plan_cmd, pid), "PID", "of this process"},
	{"sweep", 0, OPT_FLAG, offsetof(struct plan_cmd, with_sweep), NULL, "with the sites of record --sweep"},
};

static void print_site(const struct site *s, uint64_t bias)
{
	char where[128];

	snprintf(where, sizeof(where), "%s+0x%x", s->func, s->func_offset);
	printf("%#14" PRIx64 "  %-20s %-5s %-52s %s%s\n", s->vaddr + bias, s->event, site_insn_name(s->insn), where,
	       s->detail ? s->detail : "", s->is_fallback ? "  (fallback)" : "");
}

static void print_plan(const struct session *s)
{
	printf("%s%s, %s%s, offsets from %s, g at fs:%" PRId64 "\n", s->build.version.text,
	       s->build.guessed ? " (guessed)" : "", s->image->is_pie ? "PIE" : "fixed address",
	       s->build.is_race ? ", race" : "", s->plan->offsets_from, s->plan->globals.tls_g);
	for (size_t i = 0; i < s->plan->notes.n; i++)
		printf("note: %s\n", s->plan->notes.v[i]);
	printf("%14s  %-20s %-5s %-52s %s\n", "address", "event", "insn", "site", "what");
	for (size_t i = 0; i < s->plan->n_sites; i++)
		print_site(&s->plan->sites[i], s->process ? s->process->bias : 0);
	printf("%zu sites\n", s->plan->n_sites);
}

int cmd_plan(int argc, char **argv)
{
	struct plan_cmd opt = {0};
	struct session s;
	struct why why = {""};
	int first, err = options_parse(rows, ARRAY_SIZE(rows), &opt, argc, argv, &first, &why);

	if (err == -ECANCELED) {
		printf("usage: gotrace plan -p PID | BINARY\n\n");
		options_help(rows, ARRAY_SIZE(rows));
		return 0;
	}
	if (!err && argc - first != !opt.pid)
		err = why_set(&why, -EINVAL, "give -p PID or one binary");
	if (err)
		return misuse("plan", &why);
	struct plan_options po = {.with_sweep = opt.with_sweep, .with_syscalls = true, .with_user = true};

	err = opt.pid ? session_open_pid((int)opt.pid, &po, &s, &why)
		      : session_open_file(argv[first], &po, &s, &why);
	if (err)
		return fail(err, &why);
	print_plan(&s);
	session_close(&s);
	return 0;
}
