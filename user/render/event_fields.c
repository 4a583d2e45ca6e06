/* SPDX-License-Identifier: Apache-2.0 */
/* event_fields.c - see event_fields.h. */
#include "render/event_fields.h"
#include "read/spec.h"

#include <stddef.h>

#define AT(member) offsetof(struct event, member)
#define NUMBER(key, member)                                                                        \
	{                                                                                          \
		key, FIELD_NUMBER, AT(member)                                                      \
	}
#define MAYBE(key, member)                                                                         \
	{                                                                                          \
		key, FIELD_NUMBER_OR_NONE, AT(member)                                              \
	}
#define STATUS                                                                                     \
	{                                                                                          \
		"status", FIELD_STATUS, AT(status)                                                 \
	}
#define STRING(key)                                                                                \
	{                                                                                          \
		key, FIELD_STRING, AT(name)                                                        \
	}
#define STACK                                                                                      \
	{                                                                                          \
		"stack", FIELD_STACK, AT(stack)                                                    \
	}
#define START                                                                                      \
	{                                                                                          \
		"start_stack", FIELD_STACK, AT(start_stack)                                        \
	}

static const struct event_field fields[256][EVENT_FIELDS_MAX] = {
	[EV_PROCS_CHANGE] = { NUMBER("procs", value), STACK },
	[EV_PROC_START] = { NUMBER("proc", id), NUMBER("seq", seq) },
	[EV_PROC_STEAL] = { NUMBER("proc", id), NUMBER("seq", seq), NUMBER("thread", value) },
	[EV_PROC_STATUS] = { NUMBER("proc", id), STATUS },
	[EV_GO_CREATE] = { NUMBER("goroutine", id), START, STACK },
	[EV_GO_CREATE_SYSCALL] = { NUMBER("goroutine", id) },
	[EV_GO_START] = { NUMBER("goroutine", id), NUMBER("seq", seq) },
	[EV_GO_STOP] = { STRING("reason"), STACK },
	[EV_GO_BLOCK] = { STRING("reason"), STACK },
	[EV_GO_UNBLOCK] = { NUMBER("goroutine", id), NUMBER("seq", seq), STACK },
	[EV_GO_SYSCALL_BEGIN] = { NUMBER("seq", seq), STACK },
	[EV_GO_STATUS] = { NUMBER("goroutine", id), MAYBE("thread", value), STATUS },
	[EV_STW_BEGIN] = { STRING("kind"), STACK },
	[EV_STW_END] = { STRING("kind") },
	[EV_GC_ACTIVE] = { NUMBER("seq", seq) },
	[EV_GC_BEGIN] = { NUMBER("seq", seq), STACK },
	[EV_GC_END] = { NUMBER("seq", seq) },
	[EV_GC_SWEEP_ACTIVE] = { NUMBER("proc", id) },
	[EV_GC_SWEEP_BEGIN] = { STACK },
	[EV_GC_SWEEP_END] = { NUMBER("swept_bytes", value), NUMBER("reclaimed_bytes", value2) },
	[EV_GC_ASSIST_ACTIVE] = { NUMBER("goroutine", id) },
	[EV_GC_ASSIST_BEGIN] = { STACK },
	[EV_HEAP_ALLOC] = { NUMBER("bytes", value) },
	[EV_HEAP_GOAL] = { NUMBER("bytes", value) },
	[EV_GO_LABEL] = { STRING("label") },
	[EV_TASK_BEGIN] = { NUMBER("task", id), MAYBE("parent", value), STRING("name"), STACK },
	[EV_TASK_END] = { NUMBER("task", id), MAYBE("parent", value), STRING("name"), STACK },
	[EV_REGION_BEGIN] = { NUMBER("task", id), STRING("name"), STACK },
	[EV_REGION_END] = { NUMBER("task", id), STRING("name"), STACK },
	[EV_LOG] = { NUMBER("task", id),
		     STRING("category"),
		     { "message", FIELD_STRING, AT(text) },
		     STACK },
	[EV_GO_SWITCH] = { NUMBER("goroutine", id), NUMBER("seq", seq) },
	[EV_GO_SWITCH_DESTROY] = { NUMBER("goroutine", id), NUMBER("seq", seq) },
	[EV_GO_CREATE_BLOCKED] = { NUMBER("goroutine", id), START, STACK },
	[EV_GO_STATUS_STACK] = { NUMBER("goroutine", id), MAYBE("thread", value), STATUS, STACK },
	[EV_CPU_SAMPLE] = { STACK },
	[EV_SYNC] = { NUMBER("sync", id) },
	[128] = { NUMBER("id", id), NUMBER("pages", value), NUMBER("class", value2) },
	[129] = { NUMBER("id", id), NUMBER("pages", value), NUMBER("class", value2) },
	[130] = { NUMBER("id", id) },
	[131] = { NUMBER("id", id), NUMBER("type", value) },
	[132] = { NUMBER("id", id), NUMBER("type", value) },
	[133] = { NUMBER("id", id) },
	[134] = { NUMBER("id", id), NUMBER("order", value) },
	[135] = { NUMBER("id", id), NUMBER("order", value) },
	[136] = { NUMBER("id", id) },
};

const struct event_field *event_fields(uint8_t type, unsigned *n)
{
	for (*n = 0; *n < EVENT_FIELDS_MAX && fields[type][*n].key; ++*n)
		;
	return fields[type];
}

uint64_t event_field_number(const struct event *ev, const struct event_field *f)
{
	const void *p = (const char *)ev + f->at;

	return f->kind == FIELD_STACK ? *(const uint32_t *)p : *(const uint64_t *)p;
}

struct str event_field_string(const struct event *ev, const struct event_field *f)
{
	return *(const struct str *)(const void *)((const char *)ev + f->at);
}

const char *event_status_name(const struct event *ev)
{
	static const char *const go[] = { "undetermined", "runnable", "running", "syscall",
					  "waiting" };
	static const char *const proc[] = { "undetermined", "running", "idle", "syscall",
					    "abandoned" };

	return (ev->type == EV_PROC_STATUS ? proc : go)[ev->status % 5];
}

const char *event_name(uint8_t type)
{
	if (type == EV_CPU_SAMPLE)
		return "CPUSample";
	if (type == EV_SYNC)
		return "Sync";
	return event_specs[type].name ? event_specs[type].name : "?";
}
