/* SPDX-License-Identifier: Apache-2.0 */
/* gotrace: see what a Go program in production really does, without touching it. */
#include "cmd/commands.h"
#include "cmd/session.h"
#include "base/base.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} verbs[] = {
#ifdef WITH_BPF
	{"record", cmd_record, "record a running Go process, or start one, into a trace (also: gotrace -p PID)"},
	{"check", cmd_check, "what this kernel and these privileges allow, and what is missing"},
#endif
	{"plan", cmd_plan, "where a process or binary would be probed"},
	{"replay", cmd_replay, "make a trace of raw records (record --spool)"},
	{"info", cmd_info, "what a trace file tells about its recording"},
	{"report", cmd_report, "what hurts, from any Go trace: goroutines, latencies, blocking, GC, leaks; profiles"},
	{"diff", cmd_diff, "what got slower from one trace to another"},
	{"dump", cmd_dump, "the events of any Go trace as text or JSON"},
	{"cut", cmd_cut, "a part of a trace as a trace of its own"},
};

static int help(FILE *f)
{
#ifdef WITH_BPF
	fprintf(f, "usage: gotrace -p PID [-o trace.out] [-d 10s]\n"
		   "       gotrace VERB [--help] ...\n\n");
#else
	fprintf(f, "usage: gotrace VERB [--help] ...\n\n");
#endif
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(f, "  %-8s %s\n", verbs[i].name, verbs[i].help);
	fprintf(f, "\nExit codes: 0 fine, 1 failed or misused, 2 target refused, 3 finished with loss, 4 slower (diff).\n"
		   "The trace opens with: go tool trace trace.out\n");
	return f == stdout ? 0 : 1;
}

static int run(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (!*name)
		return help(stderr);
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help"))
		return help(stdout);
	if (!strcmp(name, "--version") || !strcmp(name, "version"))
		return printf("gotrace %s\n", GOTRACE_VERSION) < 0;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return verbs[i].run(argc - 2, argv + 2);
#ifdef WITH_BPF
	if (name[0] == '-') /* gotrace -p PID is gotrace record -p PID */
		return cmd_record(argc - 1, argv + 1);
#else
	if (name[0] == '-' || !strcmp(name, "record") || !strcmp(name, "check")) {
		fprintf(stderr, "gotrace: built without BPF (WITH_BPF=0): it cannot record or check\n");
		return EXIT_FAILED;
	}
#endif
	fprintf(stderr, "gotrace: no verb '%s'; gotrace --help lists them\n", name);
	return 1;
}

/* A closed standard descriptor would become the number of something else, which "-o -" would then write to. */
static void keep_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY); /* writing fails, as it should */
	while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
}

int main(int argc, char **argv)
{
	keep_standard_descriptors();
	int code = run(argc, argv);

	/* what did not reach a full disk must not look like success */
	if (fflush(stdout) && !code) {
		fprintf(stderr, "gotrace: cannot write to the standard output\n");
		code = 1;
	}
	return code;
}
