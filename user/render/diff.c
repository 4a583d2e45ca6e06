/* SPDX-License-Identifier: Apache-2.0 */
/* diff.c - see diff.h. */
#include "render/diff.h"
#include "render/json.h"
#include "render/text.h"

#include <math.h>

static const char *change_text(char out[16], double change)
{
	if (isinf(change))
		return "new";
	if (change >= 9.995)
		snprintf(out, 16, "x %.0f", fmin(change + 1, 999999));
	else
		snprintf(out, 16, "%+.0f %%", 100 * change);
	return out;
}

static void row_text(FILE *f, const struct diff_row *r)
{
	char what[40];

	snprintf(what, sizeof(what), r->kind == DIFF_STACK ? "%s wait" : "%s", r->what);
	fprintf(f, "  %8s  %9s  %9s %-11s  %-20s  %s\n",
		r->count_b ? change_text((char[16]){ 0 }, r->change) : "gone",
		TIME((uint64_t)r->before_ns), TIME((uint64_t)r->after_ns), r->unit, what,
		NAME(r->name, 30));
}

static void list(FILE *f, const struct diff *d, bool slower, size_t rows)
{
	size_t n = 0, shown = 0;

	for (size_t i = 0; i < d->rows.n; i++)
		n += (d->rows.v[i].weight_ns > 0) == slower;
	fprintf(f, "\n  %-8s  %9s  %9s\n", slower ? "slower" : "faster", "before", "after");
	if (!n)
		fprintf(f, "  nothing\n");
	for (size_t i = 0; i < d->rows.n && (!rows || shown < rows) && shown < n; i++) {
		const struct diff_row *r = &d->rows.v[slower ? i : d->rows.n - 1 - i];

		if ((r->weight_ns > 0) != slower)
			break;
		row_text(f, r);
		shown++;
	}
	if (shown < n)
		fprintf(f, "  ... and %zu more; -n 0 for all\n", n - shown);
}

static void head(FILE *f, const char *which, const struct report *r)
{
	uint64_t ns = r->g->last_ns - r->g->first_ns;

	fprintf(f, "%s  %-40s %8.3f s  %12s events  %8s goroutines  wait for a P: 99 %% %s\n",
		which, NAME(r->file, 40), (double)ns / 1e9, COUNT(r->g->events), COUNT(r->g->seen),
		TIME(latency_quantile(&r->g->waits, 0.99)));
}

void diff_text(FILE *f, const struct report *a, const struct report *b, const struct diff *d,
	       size_t rows)
{
	head(f, "A", a);
	head(f, "B", b);
	list(f, d, true, rows);
	list(f, d, false, rows);
}

static void side(struct json *j, const char *key, const struct report *r)
{
	json_key(j, key);
	json_object(j);
	json_key_cstr(j, "file", r->file);
	json_key_bool(j, "valid", !r->error && !r->flaw);
	json_key_u64(j, "duration_ns", r->g->last_ns - r->g->first_ns);
	json_key_u64(j, "events", r->g->events);
	json_key_u64(j, "goroutines", r->g->seen);
	json_object_end(j);
}

void diff_json(FILE *f, const struct report *a, const struct report *b, const struct diff *d)
{
	struct json j = json_to(f);

	j.is_pretty = true;
	json_object(&j);
	side(&j, "a", a);
	side(&j, "b", b);
	json_key_double(&j, "worst_change", d->worst);
	json_key(&j, "rows");
	json_array(&j);
	for (size_t i = 0; i < d->rows.n; i++) {
		const struct diff_row *r = &d->rows.v[i];

		json_object(&j);
		json_key_cstr(&j, "kind", r->kind == DIFF_GROUP ? "group" : "stack");
		json_key_cstr(&j, "what", r->what);
		json_key_cstr(&j, "name", r->name);
		json_key_cstr(&j, "unit", r->unit);
		json_key_double(&j, "before_ns", r->before_ns);
		json_key_double(&j, "after_ns", r->after_ns);
		json_key_u64(&j, "count_a", r->count_a);
		json_key_u64(&j, "count_b", r->count_b);
		json_key_double(&j, "weight_ns", r->weight_ns);
		json_key_double(&j, "change", r->change); /* null: new */
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	json_line(&j);
}
