/* SPDX-License-Identifier: Apache-2.0 */
/* reasons.c - see reasons.h. */
#include "order/reasons.h"

#include "base/base.h"

#define S(literal) {literal, sizeof(literal) - 1}

/*
 * One table, so that every string has one address and one id in the file. The four parts follow
 * each other.
 */
static const struct str words[] = {
	S("unspecified"), S("forever"), S("network"), S("select"), S("sync.(*Cond).Wait"),
	S("sync"),
	S("chan send"), S("chan receive"), S("GC mark assist wait for work"),
	S("GC background sweeper wait"), S("system goroutine wait"), S("preempted"),
	S("wait for debug call"), S("wait until GC ends"), S("sleep"), S("GC weak to strong wait"),
	S("synctest"),

	S("runtime.Gosched"),

	S("unknown"), S("GC mark termination"), S("GC sweep termination"), S("write heap dump"),
	S("goroutine profile"), S("goroutine profile cleanup"), S("all goroutines stack trace"),
	S("read mem stats"), S("AllThreadsSyscall"), S("GOMAXPROCS"), S("start trace"),
	S("stop trace"),
	S("CountPagesInUse (test)"), S("ReadMetricsSlow (test)"), S("ReadMemStatsSlow (test)"),
	S("PageCachePagesLeaked (test)"), S("ResetDebugLog (test)"),

	S("GC (dedicated)"), S("GC (fractional)"), S("GC (idle)"),
};

enum { N_BLOCK = 17, AT_GOSCHED = N_BLOCK, AT_STW, N_STW = 17, AT_LABEL = AT_STW + N_STW,
	N_LABEL = 3, AT_PREEMPTED = 11 };
_Static_assert(ARRAY_SIZE(words) == AT_LABEL + N_LABEL, "the parts of the table");

struct str reason_block(uint8_t block_reason)
{
	return words[block_reason < N_BLOCK ? block_reason : 0];
}

struct str reason_stop(uint8_t stop_reason)
{
	static const uint8_t at[] = {0, AT_GOSCHED, AT_PREEMPTED};

	return words[stop_reason < ARRAY_SIZE(at) ? at[stop_reason] : 0];
}

struct str reason_stw(uint8_t stw_reason)
{
	return words[AT_STW + (stw_reason < N_STW ? stw_reason : 0)];
}

struct str reason_label(uint8_t gc_worker_mode)
{
	if (!gc_worker_mode || gc_worker_mode > N_LABEL)
		return (struct str){0};
	return words[AT_LABEL + gc_worker_mode - 1];
}

const struct str *reasons_all(size_t *n)
{
	*n = ARRAY_SIZE(words);
	return words;
}
