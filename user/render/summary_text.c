/* SPDX-License-Identifier: Apache-2.0 */
/* summary_text.c - see summary_text.h. */
#include "render/summary_text.h"
#include "render/report.h"
#include "render/text.h"

#include <inttypes.h>

enum { MAX_GROUPS = 12, MAX_WAITS = 5 };

/* What the program at a trap costs beyond the trap, as a share of it (make bench: ns per event,
 * both rows). */
static const double program_share = 0.40;

static void head(FILE *f, const struct summary_text_info *i)
{
	double s = (double)i->duration_ns / 1e9;

	if (i->pid)
		fprintf(f, "%s (pid %d, %s)", NAME(i->command, 16), i->pid,
			NAME(i->go_version, 20));
	else
		fprintf(f, "replay");
	fprintf(f, ": %.1f s recorded%s\n\n", s,
		i->target_execed  ? ", until it exec'd"
		: i->target_ended ? ", until it ended"
				  : "");
	fprintf(f, "  %-12s %s, %s\n", "trace", NAME(i->output, 64), BYTES(i->bytes));
}

static void quality(FILE *f, const struct summary_text_info *i)
{
	const struct order_counts *c = i->counts;
	double s = (double)i->duration_ns / 1e9;

	fprintf(f, "  %-12s %s, %s a second, %.1f bytes each\n", "events", COUNT(c->events),
		COUNT(s > 0 ? (uint64_t)((double)c->events / s) : 0),
		c->events ? (double)i->bytes / (double)c->events : 0);
	fprintf(f, "  %-12s lost %s   repaired %s   dropped %s\n", "quality", COUNT(i->lost),
		COUNT(c->repairs), COUNT(c->dropped));
	if (i->unread_stacks || i->bad_reads)
		fprintf(f, "  %-12s unread stacks %s   unread fields %s\n", "",
			COUNT(i->unread_stacks), COUNT(i->bad_reads));
	if (i->lost)
		fprintf(f,
			"  %-12s %.2f %% of the records found the buffer full: --ring 256mb, or "
			"--no-stacks\n",
			"", 100.0 * (double)i->lost / (double)(i->lost + c->records));
}

static void cost(FILE *f, const struct summary_text_info *i)
{
	double each = i->trap_ns * (1 + program_share), ns = each * (double)i->traps;

	if (!i->pid)
		return;
	if (i->trap_ns > 0 && i->target_cpu_ns)
		fprintf(f,
			"  %-12s about %.1f %% of the target's CPU time: %s traps x %.2f us "
			"(estimate)\n",
			"cost", 100.0 * ns / (double)max_u64(i->target_cpu_ns, 1), COUNT(i->traps),
			each / 1e3);
	else
		fprintf(f, "  %-12s %s traps\n", "cost", COUNT(i->traps));
	fprintf(f, "  %-12s attached in %s (first record after %s), detached in %s\n", "",
		TIME(i->attach_ns), TIME(i->first_record_ns), TIME(i->detach_ns));
}

void summary_text(FILE *f, const struct goroutines *g, const struct gc *gc,
		  const struct summary_text_info *info)
{
	head(f, info);
	quality(f, info);
	cost(f, info);
	report_scheduler(f, g);
	report_garbage(f, gc, false);
	report_groups(f, g, MAX_GROUPS, SORT_PAIN);
	report_waits(f, g, MAX_WAITS);
	if (strcmp(info->output, "-"))
		fprintf(f, "\n  next:  gotrace report %s\n         go tool trace %s\n",
			info->output, info->output);
}
