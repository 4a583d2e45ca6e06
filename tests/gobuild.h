/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gobuild.h - Go programs for tests: written, built and run by the go command on this machine.
 *
 * Each test binary keeps its programs in one directory under /tmp, removed by gobuild_clean. A test that finds no go
 * (or cannot build) skips and says so. Commands are shell lines of the test's own making.
 */
#ifndef TESTS_GOBUILD_H
#define TESTS_GOBUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"

struct gobuild {
	char dir[64];
	bool has_go;
};

static inline int gobuild_open(void **state)
{
	struct gobuild *b = xcalloc(1, sizeof(*b));

	strcpy(b->dir, "/tmp/gotrace-test-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	b->has_go = system("go version >/dev/null 2>&1") == 0;
	*state = b;
	return 0;
}

static inline int gobuild_clean(void **state)
{
	struct gobuild *b = *state;
	CLEANUP(freep) char *command = xasprintf("rm -rf %s", b->dir);
	int err = system(command);

	free(b);
	return err;
}

/* Builds source with toolchain ("go1.22.12", NULL: the default) and flags; the program's path, or skips.
 * A name stands for one program: built once. */
static inline char *gobuild(struct gobuild *b, const char *name, const char *source,
			    const char *toolchain, const char *flags)
{
	CLEANUP(freep) char *file = xasprintf("%s/%s.go", b->dir, name);
	char *program = xasprintf("%s/%s", b->dir, name);
	CLEANUP(freep) char *command = xasprintf(
		"cd %s && printf 'module prog\\n\\ngo 1.18\\n' >go.mod && "
		"GOFLAGS= GOTOOLCHAIN=%s go build %s -o %s %s.go >build.log 2>&1", b->dir, toolchain ? toolchain : "local", flags, program, name);

	if (!access(program, X_OK)) /* another test of this binary built it */
		return program;
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(source, f);
	fclose(f);
	if (!b->has_go || system(command)) {
		print_message("[  SKIP  ] needs the go command%s%s%s\n", toolchain ? " and toolchain " : "",
			      toolchain ? toolchain : "", b->has_go ? " (the build failed)" : "");
		free(program);
		skip();
	}
	return program;
}

/* What a shell command prints; fails the test when it fails. */
static inline char *output_of(const char *command)
{
	struct buf b = {0};
	FILE *f = popen(command, "r");
	char chunk[65536];

	assert_non_null(f);
	for (size_t n; (n = fread(chunk, 1, sizeof(chunk), f)) > 0;)
		buf_add(&b, chunk, n);
	assert_int_equal(pclose(f), 0);
	buf_byte(&b, 0);
	return (char *)b.v;
}

#endif
