/* SPDX-License-Identifier: Apache-2.0 */
/* event_json.c - see event_json.h. */
#include "render/event_json.h"
#include "render/event_fields.h"

static void stack_json(struct json *j, uint32_t number, struct stack_source stacks)
{
	unsigned n;
	const struct frame *frames = stacks.frames(stacks.self, number, &n);

	json_array(j);
	for (unsigned i = 0; i < n; i++) {
		json_object(j);
		json_key_cstr(j, "function", frames[i].func);
		json_key_cstr(j, "file", frames[i].file);
		json_key_u64(j, "line", frames[i].line);
		json_object_end(j);
	}
	json_array_end(j);
}

static void number_or_null(struct json *j, const char *key, uint64_t x, bool is_null)
{
	if (is_null)
		json_key_null(j, key);
	else
		json_key_u64(j, key, x);
}

static void field_json(struct json *j, const struct event *ev, const struct event_field *f,
		       struct stack_source stacks)
{
	switch ((enum event_field_kind)f->kind) {
	case FIELD_NUMBER:
		json_key_u64(j, f->key, event_field_number(ev, f));
		break;
	case FIELD_NUMBER_OR_NONE:
		number_or_null(j, f->key, event_field_number(ev, f),
			       event_field_number(ev, f) == UINT64_MAX);
		break;
	case FIELD_STATUS:
		json_key_cstr(j, f->key, event_status_name(ev));
		break;
	case FIELD_STRING:
		json_key_str(j, f->key, event_field_string(ev, f));
		break;
	case FIELD_STACK:
		json_key(j, f->key);
		stack_json(j, (uint32_t)event_field_number(ev, f), stacks);
		break;
	}
}

void event_json(struct json *j, const struct event *ev, struct stack_source stacks)
{
	unsigned n;
	const struct event_field *f = event_fields(ev->type, &n);

	json_object(j);
	json_key_u64(j, "time_ns", ev->ts_ns);
	number_or_null(j, "m", ev->m, ev->m == EVENT_NO_M);
	number_or_null(j, "p", (uint64_t)ev->p, ev->p == EVENT_NO_P);
	number_or_null(j, "g", ev->g, !ev->g);
	json_key_cstr(j, "event", event_name(ev->type));
	for (unsigned i = 0; i < n; i++)
		field_json(j, ev, &f[i], stacks);
	json_object_end(j);
}
