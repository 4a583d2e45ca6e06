/* SPDX-License-Identifier: Apache-2.0 */
/* profile.c - see profile.h. */
#include "render/profile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <zlib.h>

#include "render/json.h"
#include "render/profile.pb-c.h" /* made from profile.proto by the build */

static int put(FILE *f, const void *p, size_t n)
{
	errno = 0;
	if (fwrite(p, 1, n, f) == n)
		return 0;
	return errno ? -errno : -EIO;
}

static int flush(FILE *f)
{
	errno = 0;
	if (!fflush(f))
		return 0;
	return errno ? -errno : -EIO;
}

static const struct frame *frames_of(const struct stack_source *stacks, uint32_t stack, unsigned *n)
{
	return stacks->frames(stacks->self, stack, n);
}

static const char *known(const char *name)
{
	return name ? name : "";
}

static bool is_control(uint32_t x)
{
	return x < 0x20 || (x >= 0x7f && x < 0xa0);
}

/* As UTF-8; as one name of a folded line also without what would end it or the line. */
static void add_name(struct buf *b, const char *s, bool is_folded)
{
	for (size_t n = strlen(s), length; n; s += length, n -= length) {
		uint32_t x;

		length = utf8_length(s, n, &x);
		if (!length) {
			buf_str(b, "\xef\xbf\xbd");
			length = 1;
		} else if (is_folded && (x == ';' || is_control(x))) {
			buf_byte(b, x == ';' ? ':' : '?');
		} else {
			buf_add(b, s, length);
		}
	}
}

/* ------------------------------------------------------------------------------- gzip */

struct gzip {
	FILE *f;
	z_stream z;
	int err; /* the first; nothing is written after it */
};

static int gzip_begin(struct gzip *g)
{
	enum { GZIP_HEADER = 16 };

	if (deflateInit2(&g->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + GZIP_HEADER,
			 MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	return 0;
}

static void gzip_add(struct gzip *g, const void *p, size_t n, int how)
{
	uint8_t out[16 << 10];

	g->z.next_in = (void *)p;
	g->z.avail_in = (uInt)n;
	do {
		g->z.next_out = out;
		g->z.avail_out = sizeof(out);
		deflate(&g->z, how);
		if (!g->err)
			g->err = put(g->f, out, sizeof(out) - g->z.avail_out);
	} while (!g->z.avail_out);
}

static int gzip_end(struct gzip *g)
{
	gzip_add(g, NULL, 0, Z_FINISH);
	deflateEnd(&g->z);
	return g->err ? g->err : flush(g->f);
}

/* ------------------------------------------------------------------------------- pprof */

/*
 * The message is never whole in memory: protobuf messages one after the other are one message, with
 * what they repeat in that order. So each sample, location, function and string is written as a
 * profile of its own when it is met first.
 */
struct pprof {
	struct gzip gzip;
	struct buf piece, text;
	struct map64 location_ids; /* by pc */
	struct map64 function_ids; /* by index of name << 32 | index of file */
	uint64_t locations, functions;
	struct map64 string_index; /* hash -> 1 + index of the newest of that hash */
	VEC(struct pprof_string {
		char *s;
		uint64_t next;
	})
	strings;
	VEC(uint64_t) stack;
};

static void add_piece(struct pprof *w, const Pprof__Profile *piece)
{
	size_t n = pprof__profile__get_packed_size(piece);

	w->piece.n = 0;
	buf_reserve(&w->piece, n);
	pprof__profile__pack(piece, w->piece.v);
	gzip_add(&w->gzip, w->piece.v, n, Z_NO_FLUSH);
}

static int64_t string_at(struct pprof *w, const char *bytes)
{
	w->text.n = 0;
	add_name(&w->text, bytes, false);
	buf_byte(&w->text, 0);

	char *s = (char *)w->text.v;
	uint64_t *newest = map64_at(&w->string_index, hash_bytes(s, w->text.n, 0)), k = *newest;

	while (k && strcmp(w->strings.v[k - 1].s, s))
		k = w->strings.v[k - 1].next;
	if (k)
		return (int64_t)k - 1;
	*vec_push(&w->strings) = (struct pprof_string){ xstrdup(s), *newest };
	*newest = w->strings.n;

	Pprof__Profile piece = PPROF__PROFILE__INIT;

	piece.n_string_table = 1;
	piece.string_table = &s;
	add_piece(w, &piece);
	return (int64_t)w->strings.n - 1;
}

static uint64_t function_at(struct pprof *w, const struct frame *frame)
{
	int64_t name = string_at(w, known(frame->func)), file = string_at(w, known(frame->file));
	uint64_t *id = map64_at(&w->function_ids, (uint64_t)name << 32 | (uint64_t)file);

	if (*id)
		return *id;
	*id = ++w->functions;

	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Function function = PPROF__FUNCTION__INIT;

	function.id = *id;
	function.name = function.system_name = name;
	function.filename = file;
	piece.n_function = 1;
	piece.function = (Pprof__Function *[]){ &function };
	add_piece(w, &piece);
	return function.id;
}

static uint64_t location_at(struct pprof *w, const struct frame *frame)
{
	uint64_t *id = map64_at(&w->location_ids, frame->pc);

	if (*id)
		return *id;
	*id = ++w->locations;

	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Location location = PPROF__LOCATION__INIT;
	Pprof__Line line = PPROF__LINE__INIT;

	line.function_id = function_at(w, frame);
	line.line = frame->line;
	location.id = *id;
	location.address = frame->pc;
	location.n_line = 1;
	location.line = (Pprof__Line *[]){ &line };
	piece.n_location = 1;
	piece.location = (Pprof__Location *[]){ &location };
	add_piece(w, &piece);
	return location.id;
}

/* Sums of a damaged trace can be anything; the format has a sign. */
static int64_t positive(uint64_t x)
{
	return (int64_t)min_u64(x, INT64_MAX);
}

static void add_sample(struct pprof *w, const struct profile_sample *s, const struct frame *frames,
		       unsigned n)
{
	w->stack.n = 0;
	for (unsigned i = 0; i < n; i++)
		*vec_push(&w->stack) = location_at(w, &frames[i]);

	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Sample sample = PPROF__SAMPLE__INIT;

	sample.n_location_id = w->stack.n;
	sample.location_id = w->stack.v;
	sample.n_value = 2;
	sample.value = (int64_t[]){ positive(s->count), positive(s->ns) };
	piece.n_sample = 1;
	piece.sample = (Pprof__Sample *[]){ &sample };
	add_piece(w, &piece);
}

static Pprof__ValueType value_type(struct pprof *w, const char *type, const char *unit)
{
	Pprof__ValueType v = PPROF__VALUE_TYPE__INIT;

	v.type = string_at(w, type);
	v.unit = string_at(w, unit);
	return v;
}

static void add_head(struct pprof *w, uint64_t duration_ns, uint64_t time_ns)
{
	string_at(w, ""); /* has to be the first */

	Pprof__ValueType count = value_type(w, "contentions", "count");
	Pprof__ValueType delay = value_type(w, "delay", "nanoseconds");
	Pprof__ValueType period = value_type(w, "trace", "count");
	Pprof__Profile piece = PPROF__PROFILE__INIT;

	piece.n_sample_type = 2;
	piece.sample_type = (Pprof__ValueType *[]){ &count, &delay };
	piece.default_sample_type = delay.type;
	piece.period_type = &period;
	piece.period = 1;
	piece.duration_nanos = positive(duration_ns);
	piece.time_nanos = positive(time_ns);
	add_piece(w, &piece);
}

static void pprof_free(struct pprof *w)
{
	for (size_t i = 0; i < w->strings.n; i++)
		free(w->strings.v[i].s);
	vec_free(&w->strings);
	vec_free(&w->stack);
	map64_free(&w->location_ids);
	map64_free(&w->function_ids);
	map64_free(&w->string_index);
	buf_free(&w->piece);
	buf_free(&w->text);
}

int profile_pprof(FILE *f, const struct profile *p, const struct stack_source *stacks,
		  uint64_t duration_ns, uint64_t time_ns)
{
	struct pprof w = { .gzip.f = f };
	int err = gzip_begin(&w.gzip);

	if (err)
		return err;
	add_head(&w, duration_ns, time_ns);
	for (size_t i = 0; i < p->samples.n && !w.gzip.err; i++) {
		unsigned n;
		const struct frame *frames = frames_of(stacks, profile_stack(p, i), &n);

		if (p->samples.v[i].count)
			add_sample(&w, &p->samples.v[i], frames, n);
	}
	err = gzip_end(&w.gzip);
	pprof_free(&w);
	return err;
}

/* ------------------------------------------------------------------------------- folded stacks */

struct folded_row {
	const struct frame *frames; /* leaf first */
	unsigned n;
	uint64_t weight;
};

static int compare_names(const void *a, const void *b)
{
	const struct folded_row *x = a, *y = b;

	for (unsigned i = 1; i <= x->n && i <= y->n; i++) {
		const char *s = known(x->frames[x->n - i].func),
			   *t = known(y->frames[y->n - i].func);
		int c = s == t ? 0 : strcmp(s, t);

		if (c)
			return c;
	}
	return x->n < y->n ? -1 : x->n > y->n;
}

static int compare_weights(const void *a, const void *b)
{
	const struct folded_row *x = a, *y = b;

	if (x->weight != y->weight)
		return x->weight < y->weight ? 1 : -1;
	return compare_names(a, b);
}

/* Stacks that differ in pcs alone become one row. Sorted by names before and after. */
static size_t merge_equal(struct folded_row *rows, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (kept && !compare_names(&rows[kept - 1], &rows[i]))
			rows[kept - 1].weight += rows[i].weight;
		else
			rows[kept++] = rows[i];
	}
	return kept;
}

static void add_folded(struct buf *line, const char *name)
{
	add_name(line, *name ? name : "[unknown]", true);
}

static int put_row(FILE *f, struct buf *line, const struct folded_row *row)
{
	line->n = 0;
	if (!row->n)
		add_folded(line, "");
	for (unsigned i = row->n; i > 0; i--) {
		add_folded(line, known(row->frames[i - 1].func));
		if (i > 1)
			buf_byte(line, ';');
	}
	buf_printf(line, " %" PRIu64 "\n", row->weight);
	return put(f, line->v, line->n);
}

int profile_folded(FILE *f, const struct profile *p, const struct stack_source *stacks,
		   enum folded_weight weight)
{
	VEC(struct folded_row) rows = { 0 };
	struct buf line = { 0 };
	int err = 0;

	for (size_t i = 0; i < p->samples.n; i++) {
		const struct profile_sample *s = &p->samples.v[i];
		struct folded_row row = { .weight = weight == FOLDED_NS ? s->ns : s->count };

		row.frames = frames_of(stacks, profile_stack(p, i), &row.n);
		if (row.weight)
			*vec_push(&rows) = row;
	}
	if (rows.n) {
		qsort(rows.v, rows.n, sizeof(*rows.v), compare_names);
		rows.n = merge_equal(rows.v, rows.n);
		qsort(rows.v, rows.n, sizeof(*rows.v), compare_weights);
	}
	for (size_t i = 0; i < rows.n && !err; i++)
		err = put_row(f, &line, &rows.v[i]);
	vec_free(&rows);
	buf_free(&line);
	return err ? err : flush(f);
}
