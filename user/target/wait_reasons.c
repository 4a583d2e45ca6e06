/* SPDX-License-Identifier: Apache-2.0 */
/* wait_reasons.c - see wait_reasons.h. */
#include "target/wait_reasons.h"

static const struct {
	const char *wait_reason;
	uint8_t block;
} table[] = {
	{"IO wait", BLOCK_NET},
	{"chan receive", BLOCK_CHAN_RECV},
	{"chan receive (durable)", BLOCK_CHAN_RECV},
	{"chan send", BLOCK_CHAN_SEND},
	{"chan send (durable)", BLOCK_CHAN_SEND},
	{"chan receive (nil chan)", BLOCK_FOREVER},
	{"chan send (nil chan)", BLOCK_FOREVER},
	{"select (no cases)", BLOCK_FOREVER},
	{"panicwait", BLOCK_FOREVER},
	{"select", BLOCK_SELECT},
	{"select (durable)", BLOCK_SELECT},
	{"semacquire", BLOCK_SYNC},
	{"sync.Mutex.Lock", BLOCK_SYNC},
	{"sync.RWMutex.RLock", BLOCK_SYNC},
	{"sync.RWMutex.Lock", BLOCK_SYNC},
	{"sync.WaitGroup.Wait", BLOCK_SYNC},
	{"sync.WaitGroup.Wait (durable)", BLOCK_SYNC},
	{"sync.Cond.Wait", BLOCK_COND},
	{"sleep", BLOCK_SLEEP},
	{"GC assist wait", BLOCK_GC_ASSIST},
	{"GC sweep wait", BLOCK_GC_SWEEP},
	{"GC scavenge wait", BLOCK_SYSTEM},
	{"finalizer wait", BLOCK_SYSTEM},
	{"cleanup wait", BLOCK_SYSTEM},
	{"force gc (idle)", BLOCK_SYSTEM},
	{"GOMAXPROCS updater (idle)", BLOCK_SYSTEM},
	{"GC worker (idle)", BLOCK_SYSTEM},
	{"timer goroutine (idle)", BLOCK_SYSTEM},
	{"trace reader (blocked)", BLOCK_SYSTEM},
	{"wait for GC cycle", BLOCK_UNTIL_GC_ENDS},
	{"GC weak to strong wait", BLOCK_WEAK_TO_STRONG},
	{"preempted", BLOCK_PREEMPTED},
	{"debug call", BLOCK_DEBUG_CALL},
	{"synctest.Run", BLOCK_SYNCTEST},
	{"synctest.Wait", BLOCK_SYNCTEST},
	{"coroutine", BLOCK_UNSPECIFIED},
	/* runtime/runtime2.go isWaitingForSuspendG and its ancestors: the goroutine runs */
	{"stopping the world", WAIT_BLOCK_RUNNING},
	{"GC mark termination", WAIT_BLOCK_RUNNING},
	{"garbage collection", WAIT_BLOCK_RUNNING},
	{"garbage collection scan", WAIT_BLOCK_RUNNING},
	{"trace goroutine status", WAIT_BLOCK_RUNNING},
	{"trace proc status", WAIT_BLOCK_RUNNING},
	{"page trace flush", WAIT_BLOCK_RUNNING},
	{"GC assist marking", WAIT_BLOCK_RUNNING},
	{"GC worker (active)", WAIT_BLOCK_RUNNING},
	{"flushing proc caches", WAIT_BLOCK_RUNNING},
	{"dumping heap", WAIT_BLOCK_RUNNING},
};

uint8_t wait_reason_block(const char *wait_reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (!strcmp(table[i].wait_reason, wait_reason))
			return table[i].block;
	return BLOCK_UNSPECIFIED;
}

bool wait_reason_text(const struct process *p, uint64_t addr, uint32_t i, char text[64])
{
	uint64_t string[2]; /* pointer, length */

	if (process_read(p, addr + i * sizeof(string), string, sizeof(string)) != sizeof(string) ||
	    string[1] >= 64 || process_read(p, string[0], text, string[1]) != (ssize_t)string[1])
		return false;
	text[string[1]] = 0;
	for (const char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			return false;
	return true;
}

void wait_reasons_read(const struct process *p, uint64_t addr, uint32_t n, uint8_t blocks[256])
{
	char text[64];

	memset(blocks, BLOCK_UNSPECIFIED, 256);
	for (uint32_t i = 0; i < n && i < 256; i++)
		if (wait_reason_text(p, addr, i, text))
			blocks[i] = wait_reason_block(text);
}
