/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order_rig.h - what the tests of order and trace share: made-up symbols, a trace file in a
 * temporary directory, and the foreign judge.
 *
 * Symbols: pc 0x1000 * k + anything is in function "main.f<k>", of file "/src/f<k>.go"; k = 1 is
 * runtime.goexit, 2 runtime.main. The judge is $GOTRACE_CHECK or ../shared/tools/check-trace;
 * without it a test says so and passes.
 */
#ifndef ORDER_RIG_H
#define ORDER_RIG_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "order/order.h"

#define RIG_FUNCS 512

struct rig_symbols {
	struct symbols symbols;
	char func[RIG_FUNCS][32], file[RIG_FUNCS][32];
};

static inline int rig_frames(struct symbols *self, uint64_t pc, struct frame *out, int max)
{
	struct rig_symbols *s = (struct rig_symbols *)self;
	uint64_t k = pc >> 12;

	if (!k || k >= RIG_FUNCS || max < 1)
		return 0;
	out[0] = (struct frame){.pc = pc, .func = s->func[k], .file = s->file[k], .line = 1 +
		(uint32_t)(pc & 0xfff)};
	return 1;
}

static inline int rig_start_func(struct symbols *self, uint64_t pc, struct frame *out)
{
	return rig_frames(self, pc, out, 1) == 1 ? 0 : -2;
}

static inline void rig_symbols_init(struct rig_symbols *s)
{
	s->symbols = (struct symbols){rig_frames, rig_start_func};
	for (int k = 0; k < RIG_FUNCS; k++) {
		snprintf(s->func[k], sizeof(s->func[k]), "main.f%d", k);
		snprintf(s->file[k], sizeof(s->file[k]), "/src/f%d.go", k);
	}
	strcpy(s->func[1], "runtime.goexit");
	strcpy(s->func[2], "runtime.main");
}

struct rig {
	struct rig_symbols symbols;
	struct stacks *stacks;
	struct writer *writer;
	struct order *order;
	char *path;
	int fd;
};

/* A directory of this process; removed by rig_clean unless KEEP is set. */
static inline const char *rig_dir(void)
{
	static char dir[64];

	if (!dir[0]) {
		snprintf(dir, sizeof(dir), "%s/gotrace-test-XXXXXX", getenv("TMPDIR") ?
			 getenv("TMPDIR") : "/tmp");
		if (!mkdtemp(dir))
			abort();
	}
	return dir;
}

static inline void rig_clean(void)
{
	char *command = xasprintf("rm -rf '%s'", rig_dir());

	if (!getenv("KEEP") && system(command))
		fprintf(stderr, "could not remove %s\n", rig_dir());
	free(command);
}

static inline void rig_open_file(struct rig *r, const char *name, int minor)
{
	rig_symbols_init(&r->symbols);
	r->stacks = stacks_new(&r->symbols.symbols);
	r->path = xasprintf("%s/%s.trace", rig_dir(), name);
	r->fd = open(r->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (r->fd < 0)
		abort();
	r->writer = writer_new(r->fd, minor, WRITER_TICK_SHIFT, stacks_source(r->stacks));
}

#define RIG_TICK_NS (1 << WRITER_TICK_SHIFT)

/* cfg: writer, stacks and minor are filled in. */
static inline struct rig *rig_new(const char *name, int minor, struct order_config cfg)
{
	struct rig *r = xcalloc(1, sizeof(*r));

	rig_open_file(r, name, minor);
	cfg.writer = r->writer;
	cfg.stacks = r->stacks;
	cfg.minor = minor;
	r->order = order_new(&cfg);
	return r;
}

static inline void rig_free(struct rig *r)
{
	order_free(r->order);
	writer_free(r->writer);
	stacks_free(r->stacks);
	close(r->fd);
	free(r->path);
	free(r);
}

/* NULL: there is no judge, the reason was said. */
static inline const char *rig_judge(void)
{
	const char *judge = getenv("GOTRACE_CHECK") ? getenv("GOTRACE_CHECK") :
		"../shared/tools/check-trace";

	if (!access(judge, X_OK))
		return judge;
	fprintf(stderr, "not judged: no %s (set GOTRACE_CHECK to shared/tools/check-trace)\n",
		judge);
	return NULL;
}

/*
 * 0: the judge accepts the file(s), a shell pattern or a list. Its words are shown when it does
 * not.
 */
static inline int rig_check(const char *files)
{
	const char *judge = rig_judge();

	if (!judge)
		return 0;
	char *command = xasprintf("%s %s > '%s/verdict' 2>&1 || { grep -B1 -A3 -E 'valid=false|violations [1-9]|tool trace.*: [^o]'"
				  " '%s/verdict' | head -40 >&2; false; }", judge, files, rig_dir(),
					  rig_dir());
	int status = system(command);

	free(command);
	return status;
}

#endif
