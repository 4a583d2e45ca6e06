/* SPDX-License-Identifier: Apache-2.0 */
/* spool.c - see spool.h. */
#include "order/spool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "trace/extra.h"

static const char magic[8] = "gtspool1";

enum { FLUSH_BYTES = 1 << 18, MAX_CHUNK = 1 << 28 };

enum tag {
	TAG_META = 1,
	TAG_SNAPSHOT = 2,
	TAG_STACK = 3,
	TAG_RECORD = 4,
	TAG_FRAMES = 5,  /* of a call address */
	TAG_START = 6,   /* of a start pc */
};

/* ------------------------------------------------------------------------------- writing */

struct spool_writer {
	int fd, err;
	struct symbols *symbols;
	struct buf out, chunk;
	struct map64 known_pcs, known_starts;
	uint64_t last_ns;
};

struct spool_writer *spool_create(int fd, struct symbols *symbols)
{
	struct spool_writer *w = xcalloc(1, sizeof(*w));

	w->fd = fd;
	w->symbols = symbols;
	buf_add(&w->out, magic, sizeof(magic));
	return w;
}

static void put_chunk(struct spool_writer *w, enum tag tag)
{
	buf_byte(&w->out, tag);
	buf_varint(&w->out, w->chunk.n);
	buf_add(&w->out, w->chunk.v, w->chunk.n);
	w->chunk.n = 0;
	if (w->out.n >= FLUSH_BYTES)
		spool_flush(w);
}

int spool_flush(struct spool_writer *w)
{
	if (!w->err)
		w->err = write_all(w->fd, w->out.v, w->out.n);
	w->out.n = 0;
	return w->err;
}

static void put_text(struct buf *b, const char *s, size_t n)
{
	buf_varint(b, n);
	buf_add(b, s, n);
}

static void put_signed(struct buf *b, int64_t x)
{
	buf_varint(b, extra_zigzag(x));
}

void spool_meta(struct spool_writer *w, const char *text, size_t n)
{
	put_text(&w->chunk, text, n);
	put_chunk(w, TAG_META);
}

static void put_frame(struct buf *b, const struct frame *f)
{
	buf_varint(b, f->pc);
	put_text(b, f->func, strlen(f->func));
	put_text(b, f->file, strlen(f->file));
	buf_varint(b, f->line);
	buf_byte(b, f->func_id);
	buf_byte(b, (uint8_t)(f->is_wrapper | f->keeps_wrapper << 1));
}

static void put_pc(struct spool_writer *w, uint64_t pc)
{
	struct frame frames[SYMBOL_MAX_INLINE];
	uint64_t *known = map64_at(&w->known_pcs, pc);

	if (*known)
		return;
	*known = 1;
	int n = w->symbols->frames(w->symbols, pc, frames, SYMBOL_MAX_INLINE);

	buf_varint(&w->chunk, pc);
	buf_varint(&w->chunk, (uint64_t)n);
	for (int i = 0; i < n; i++)
		put_frame(&w->chunk, &frames[i]);
	put_chunk(w, TAG_FRAMES);
}

static void put_start(struct spool_writer *w, uint64_t start_pc)
{
	struct frame f;
	uint64_t *known = start_pc ? map64_at(&w->known_starts, start_pc) : NULL;

	if (!known || *known)
		return;
	*known = 1;
	if (w->symbols->start_func(w->symbols, start_pc, &f))
		return;
	buf_varint(&w->chunk, start_pc);
	put_frame(&w->chunk, &f);
	put_chunk(w, TAG_START);
}

void spool_stack(struct spool_writer *w, const struct stack_def *def)
{
	for (unsigned i = 0; i < def->n; i++)
		put_pc(w, def->pcs[i] - !(i == 0 && def->flags & STACK_F_LEAF_EXACT));
	buf_varint(&w->chunk, def->id);
	buf_byte(&w->chunk, def->flags);
	buf_varint(&w->chunk, def->n);
	for (unsigned i = 0; i < def->n; i++)
		buf_varint(&w->chunk, def->pcs[i]);
	put_chunk(w, TAG_STACK);
}

void spool_snapshot(struct spool_writer *w, const struct snapshot *s)
{
	for (uint32_t i = 0; i < s->n_g; i++)
		put_start(w, s->g[i].start_pc);
	buf_varint(&w->chunk, s->begin_ns);
	buf_varint(&w->chunk, s->end_ns);
	buf_byte(&w->chunk, s->gc_running);
	buf_varint(&w->chunk, s->n_g);
	for (uint32_t i = 0; i < s->n_g; i++) {
		const struct snapshot_g *g = &s->g[i];
		const uint64_t numbers[] = {g->goid, g->start_pc, g->creator, g->tid, g->stack};

		for (size_t k = 0; k < ARRAY_SIZE(numbers); k++)
			buf_varint(&w->chunk, numbers[k]);
		buf_add(&w->chunk, (uint8_t[]){g->state, g->reason, g->wait_reason, g->flags}, 4);
	}
	buf_varint(&w->chunk, s->n_p);
	for (uint32_t i = 0; i < s->n_p; i++) {
		put_signed(&w->chunk, s->p[i].id);
		buf_varint(&w->chunk, s->p[i].tid);
	}
	put_chunk(w, TAG_SNAPSHOT);
}

void spool_record(struct spool_writer *w, const struct record *r)
{
	if (r->type == REC_GO_CREATE || r->type == REC_GO_CREATE_BLOCKED)
		put_start(w, r->arg);
	const uint64_t numbers[] = {r->goid, r->arg, r->object, r->creator, r->tid, r->stack, r->aux};
	const uint8_t bytes[] = {r->type, r->reason, r->skip, r->flags, r->wait_kind, r->key_len};

	put_signed(&w->chunk, (int64_t)(r->ts_ns - w->last_ns));
	w->last_ns = r->ts_ns;
	buf_add(&w->chunk, bytes, sizeof(bytes));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		buf_varint(&w->chunk, numbers[i]);
	put_signed(&w->chunk, r->p);
	put_text(&w->chunk, r->text, r->text_len);
	put_chunk(w, TAG_RECORD);
}

void spool_free(struct spool_writer *w)
{
	if (!w)
		return;
	buf_free(&w->out);
	buf_free(&w->chunk);
	map64_free(&w->known_pcs);
	map64_free(&w->known_starts);
	free(w);
}

/* ------------------------------------------------------------------------------- reading */

struct spool_reader {
	struct symbols symbols;   /* first: the vtable's self is this reader */
	FILE *file;
	uint64_t offset, last_ns;
	bool has_snapshot;
	struct buf chunk;
	struct map64 frames_at;   /* pc -> index + 1 in frames; the count stands in counts */
	struct map64 starts_at;
	VEC(struct frame) frames;
	VEC(uint32_t) counts;
	VEC(char *) texts;
	struct map64 text_at;
};

static int find_frames(struct symbols *self, uint64_t pc, struct frame *out, int max)
{
	const struct spool_reader *r = (const struct spool_reader *)self;
	uint64_t *at = map64_get(&r->frames_at, pc);
	int n = at ? (int)r->counts.v[*at - 1] : 0;

	if (n > max)
		n = max;
	if (n)
		memcpy(out, &r->frames.v[*at - 1], (size_t)n * sizeof(*out));
	return n;
}

static int find_start(struct symbols *self, uint64_t start_pc, struct frame *out)
{
	const struct spool_reader *r = (const struct spool_reader *)self;
	uint64_t *at = map64_get(&r->starts_at, start_pc);

	if (!at)
		return -ENOENT;
	*out = r->frames.v[*at - 1];
	return 0;
}

int spool_open(const char *path, struct spool_reader **ret, struct why *why)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "rbe") : stdin;
	char head[sizeof(magic)];

	if (!f)
		return why_set(why, -errno, "cannot open %s: %s", path, strerror(errno));
	if (fread(head, 1, sizeof(head), f) != sizeof(head) || memcmp(head, magic, sizeof(magic))) {
		fclose(f);
		return why_set(why, -ENOEXEC, "%s is not a spool of gotrace (record --spool writes one)", path);
	}
	struct spool_reader *r = xcalloc(1, sizeof(*r));

	r->symbols = (struct symbols){.frames = find_frames, .start_func = find_start};
	r->file = f;
	r->offset = sizeof(magic);
	*ret = r;
	return 0;
}

struct symbols *spool_symbols(struct spool_reader *r)
{
	return &r->symbols;
}

static uint64_t get_varint(struct spool_reader *r, bool *end)
{
	uint64_t x = 0;

	for (int shift = 0; shift < 64; shift += 7) {
		int c = getc(r->file);

		if (c == EOF)
			break;
		r->offset++;
		x |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return x;
	}
	*end = true;
	return 0;
}

static const char *get_text(struct spool_reader *r, struct cursor *c)
{
	uint64_t n = cursor_varint(c);
	const uint8_t *p = cursor_bytes(c, n);
	uint64_t *known = map64_at(&r->text_at, p ? hash_bytes(p, n, 7) : 0);

	if (!*known) {
		*vec_push(&r->texts) = xmemdup0(p, p ? n : 0);
		*known = r->texts.n;
	}
	return r->texts.v[*known - 1];
}

static int64_t get_signed(struct cursor *c)
{
	return extra_unzigzag(cursor_varint(c));
}

static void get_frame(struct spool_reader *r, struct cursor *c)
{
	struct frame f = {.pc = cursor_varint(c)};

	f.func = get_text(r, c);
	f.file = get_text(r, c);
	f.line = (uint32_t)cursor_varint(c);
	f.func_id = cursor_u8(c);
	uint8_t bits = cursor_u8(c);

	f.is_wrapper = bits & 1;
	f.keeps_wrapper = bits >> 1 & 1;
	*vec_push(&r->frames) = f;
	*vec_push(&r->counts) = 1;
}

static void read_frames(struct spool_reader *r, struct cursor *c)
{
	uint64_t pc = cursor_varint(c), n = cursor_varint(c), first = r->frames.n;

	for (uint64_t i = 0; i < n && !c->bad; i++)
		get_frame(r, c);
	if (c->bad || !n)
		return;
	r->counts.v[first] = (uint32_t)n;
	*map64_at(&r->frames_at, pc) = first + 1;
}

static void read_start(struct spool_reader *r, struct cursor *c)
{
	uint64_t pc = cursor_varint(c);

	get_frame(r, c);
	if (!c->bad)
		*map64_at(&r->starts_at, pc) = r->frames.n;
}

static void read_stack(struct cursor *c, const struct spool_sink *sink)
{
	uint64_t pcs[STACK_MAX_RAW];
	struct stack_def def = {.id = (uint32_t)cursor_varint(c), .flags = cursor_u8(c), .pcs = pcs};
	uint64_t n = cursor_varint(c);

	if (n > STACK_MAX_RAW)
		c->bad = true;
	for (uint64_t i = 0; i < n && !c->bad; i++)
		pcs[i] = cursor_varint(c);
	def.n = (uint16_t)n;
	if (!c->bad && n)
		sink->stack(sink->ctx, &def);
}

/* CLOCK_MONOTONIC of a machine that has not run for a century: later ones run over further on. */
static bool is_stamp(uint64_t ns)
{
	return ns < 1ull << 62;
}

static void read_snapshot(struct spool_reader *r, struct cursor *c, const struct spool_sink *sink)
{
	struct snapshot s = {.begin_ns = cursor_varint(c)};

	s.end_ns = cursor_varint(c);
	if (r->has_snapshot || !is_stamp(s.begin_ns) || !is_stamp(s.end_ns))
		c->bad = true; /* there is one, before all that order does */
	r->has_snapshot = true;
	s.gc_running = cursor_u8(c);
	uint64_t n = cursor_varint(c);

	if (n > cursor_left(c))
		c->bad = true;
	s.g = xcalloc(c->bad || !n ? 1 : n, sizeof(*s.g));
	for (uint64_t i = 0; i < n && !c->bad; i++) {
		struct snapshot_g *g = &s.g[s.n_g++];

		g->goid = cursor_varint(c);
		g->start_pc = cursor_varint(c);
		g->creator = cursor_varint(c);
		g->tid = (uint32_t)cursor_varint(c);
		g->stack = (uint32_t)cursor_varint(c);
		g->state = cursor_u8(c);
		g->reason = cursor_u8(c);
		g->wait_reason = cursor_u8(c);
		g->flags = cursor_u8(c);
	}
	n = cursor_varint(c);
	if (n > cursor_left(c))
		c->bad = true;
	s.p = xcalloc(c->bad || !n ? 1 : n, sizeof(*s.p));
	for (uint64_t i = 0; i < n && !c->bad; i++) {
		struct snapshot_p *p = &s.p[s.n_p++];

		p->id = (int32_t)get_signed(c);
		p->tid = (uint32_t)cursor_varint(c);
	}
	if (!c->bad)
		sink->snapshot(sink->ctx, &s);
	free(s.g);
	free(s.p);
}

static void read_record(struct spool_reader *r, struct cursor *c, const struct spool_sink *sink)
{
	struct record rec = {.ts_ns = r->last_ns + (uint64_t)get_signed(c)};

	rec.type = cursor_u8(c);
	rec.reason = cursor_u8(c);
	rec.skip = cursor_u8(c);
	rec.flags = cursor_u8(c);
	rec.wait_kind = cursor_u8(c);
	rec.key_len = cursor_u8(c);
	rec.goid = cursor_varint(c);
	rec.arg = cursor_varint(c);
	rec.object = cursor_varint(c);
	rec.creator = cursor_varint(c);
	rec.tid = (uint32_t)cursor_varint(c);
	rec.stack = (uint32_t)cursor_varint(c);
	rec.aux = (uint32_t)cursor_varint(c);
	rec.p = (int32_t)get_signed(c);
	uint64_t n = cursor_varint(c);

	if (n > UINT16_MAX || rec.key_len > n || !is_stamp(rec.ts_ns))
		c->bad = true;
	rec.text = (const char *)cursor_bytes(c, n);
	rec.text_len = (uint16_t)n;
	if (c->bad)
		return;
	r->last_ns = rec.ts_ns;
	sink->record(sink->ctx, &rec);
}

static void read_chunk(struct spool_reader *r, int tag, const struct spool_sink *sink, struct cursor *c)
{
	switch (tag) {
	case TAG_META: {
		uint64_t n = cursor_varint(c);
		const uint8_t *p = cursor_bytes(c, n);

		if (p)
			sink->meta(sink->ctx, (const char *)p, n);
		break;
	}
	case TAG_SNAPSHOT:
		read_snapshot(r, c, sink);
		break;
	case TAG_STACK:
		read_stack(c, sink);
		break;
	case TAG_RECORD:
		read_record(r, c, sink);
		break;
	case TAG_FRAMES:
		read_frames(r, c);
		break;
	case TAG_START:
		read_start(r, c);
		break;
	default:
		c->bad = true;
	}
}

int spool_read(struct spool_reader *r, const struct spool_sink *sink, struct why *why)
{
	int tag;

	while ((tag = getc(r->file)) != EOF) {
		uint64_t at = r->offset++;
		bool end = false;
		uint64_t n = get_varint(r, &end);

		if (end || n > MAX_CHUNK)
			return why_set(why, -EBADMSG, "offset %llu: the spool is cut here", (unsigned long long)at);
		r->chunk.n = 0;
		for (uint64_t left = n; left;) { /* what a damaged length claims is not allocated at once */
			size_t want = min_u64(left, 1 << 20);

			buf_reserve(&r->chunk, want);
			size_t got = fread(r->chunk.v + r->chunk.n, 1, want, r->file);

			r->chunk.n += got;
			r->offset += got;
			left -= got;
			if (got < want)
				return why_set(why, -EBADMSG, "offset %llu: the spool is cut here",
					       (unsigned long long)at);
		}
		struct cursor c = cursor_of(r->chunk.v, n);

		read_chunk(r, tag, sink, &c);
		if (c.bad)
			return why_set(why, -EBADMSG, "offset %llu: a chunk of kind %d makes no sense",
				       (unsigned long long)at, tag);
	}
	return 0;
}

void spool_close(struct spool_reader *r)
{
	if (!r)
		return;
	if (r->file != stdin)
		fclose(r->file);
	for (size_t i = 0; i < r->texts.n; i++)
		free(r->texts.v[i]);
	vec_free(&r->texts);
	vec_free(&r->frames);
	vec_free(&r->counts);
	map64_free(&r->frames_at);
	map64_free(&r->starts_at);
	map64_free(&r->text_at);
	buf_free(&r->chunk);
	free(r);
}
