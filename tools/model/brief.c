/* SPDX-License-Identifier: MIT */
/* brief.c - see brief.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../syscalls.h"
#include "brief.h"

/*
 * A path says more than the directory it may start from. A name that came is better than a number;
 * an argument that is not known is no object.
 */
static enum grt_text text_of(char letter)
{
	switch (letter) {
	case 'p':
	case 'P':
		return GRT_TEXT_STRING;
	case 'f':
	case 'a':
		return GRT_TEXT_FD;
	default:
		return 0;
	}
}

static struct brief_object object_of(const struct model *m, const struct syscall_desc *d,
				     const uint64_t *value, int known, uint64_t look)
{
	const uint64_t *all = known == GRT_REC_ARGS ? value : NULL;
	struct brief_object o = { 0 };

	for (int i = 0; i < known && d->args[i]; i++) {
		enum grt_text what = text_of(syscall_letter(d, i, all));

		if (what == GRT_TEXT_STRING && model_text(m, what, value[i]))
			return (struct brief_object){ what, value[i], look };
		if (what == GRT_TEXT_FD && (int32_t)value[i] >= 0 && !o.what)
			o = (struct brief_object){ what, (uint64_t)(int32_t)value[i], look };
	}
	return o;
}

struct brief_object brief_object(const struct model *m, const struct model_thread *t)
{
	const struct syscall_desc *d = syscall_desc(t->nr);

	if (!d)
		return (struct brief_object){ 0 };
	if (t->has_args)
		return object_of(m, d, t->args, GRT_REC_ARGS, t->names_look);
	return object_of(m, d, &t->call_arg, 1, t->names_look);
}

const char *brief_object_name(const struct model *m, struct brief_object o)
{
	return o.what ? model_text_at(m, o.what, o.key, o.look) : NULL;
}

const char *brief_object_kind(const struct model *m, struct brief_object o)
{
	enum grt_text kind = o.what == GRT_TEXT_FD ? GRT_TEXT_FD_KIND : GRT_TEXT_STRING_KIND;

	return o.what ? model_text_at(m, kind, o.key, o.look) : NULL;
}

static void put_call(char *buf, const struct model *m, int32_t nr, struct brief_object o)
{
	const struct syscall_desc *d = syscall_desc(nr);
	const char *text = brief_object_name(m, o);
	char name[32];

	snprintf(name, sizeof(name), "%s", d ? d->name : "");
	if (!d)
		snprintf(name, sizeof(name), "syscall_%d", nr);
	if (text)
		snprintf(buf, BRIEF_BYTES, "%s(%s)", name, text);
	else if (o.what == GRT_TEXT_FD)
		snprintf(buf, BRIEF_BYTES, "%s(fd %" PRIu64 ")", name, o.key);
	else
		snprintf(buf, BRIEF_BYTES, "%s", name);
}

static void put_foreign(char *buf, const struct model *m, bool has_arg, uint64_t fn)
{
	const char *name = has_arg ? model_text(m, GRT_TEXT_FUNCTION, fn) : NULL;

	if (name)
		snprintf(buf, BRIEF_BYTES, "foreign %s", name);
	else if (has_arg)
		snprintf(buf, BRIEF_BYTES, "foreign 0x%" PRIx64, fn);
	else
		snprintf(buf, BRIEF_BYTES, "foreign call");
}

bool brief_is_in_page_fault(const struct model *m, const struct model_thread *t)
{
	static const char *const part[] = { "_fault", "userfault", "fault_page" };
	const struct model_frame *f;
	size_t n = model_stack(m, t, GRT_STACK_KERNEL, &f);

	for (size_t i = 0; i < n; i++) {
		const char *name = model_text(m, GRT_TEXT_KERNEL, f[i].pc);

		for (size_t k = 0; name && k < sizeof(part) / sizeof(part[0]); k++)
			if (strstr(name, part[k]))
				return true;
	}
	return false;
}

static void put_fault(char *buf, const struct model *m, const struct model_thread *t)
{
	const char *mapping = model_text(m, GRT_TEXT_MAPPING, t->fault_addr);

	snprintf(buf, BRIEF_BYTES, "page fault%s%s", mapping ? " in " : "", mapping ? mapping : "");
}

void brief_call(char buf[BRIEF_BYTES], const struct model *m, const struct model_thread *t)
{
	if (t->state == GRT_MS_locked)
		snprintf(buf, BRIEF_BYTES, "locked to a parked goroutine");
	else if (t->nr == GRT_NR_FOREIGN)
		put_foreign(buf, m, true, t->call_arg);
	else if (t->nr < 0 && brief_is_in_page_fault(m, t))
		put_fault(buf, m, t);
	else if (t->nr < 0)
		snprintf(buf, BRIEF_BYTES, "call not known");
	else
		put_call(buf, m, t->nr, brief_object(m, t));
}

void brief_call_nr(char buf[BRIEF_BYTES], const struct model *m, int32_t nr, bool has_arg,
		   uint64_t arg)
{
	const struct syscall_desc *d = syscall_desc(nr);
	struct brief_object o = { 0 };

	if (nr == GRT_NR_FOREIGN) {
		put_foreign(buf, m, has_arg, arg);
		return;
	}
	if (nr < 0) {
		snprintf(buf, BRIEF_BYTES, "call not known");
		return;
	}
	if (d && has_arg)
		o = object_of(m, d, &arg, 1, UINT64_MAX);
	put_call(buf, m, nr, o);
}

const struct model_frame *brief_frame(const struct model *m, const struct model_thread *t)
{
	const struct model_frame *frame;
	size_t n = model_stack(m, t, GRT_STACK_USER, &frame);

	for (size_t i = 0; i < n; i++)
		if (!(frame[i].flags & GRT_FRAME_SYSTEM))
			return &frame[i];
	return n ? &frame[0] : NULL;
}

void brief_pc(char buf[BRIEF_BYTES], const struct model *m, uint64_t pc)
{
	const char *name = model_text(m, GRT_TEXT_FUNCTION, pc);
	const char *line = model_text(m, GRT_TEXT_LINE, pc);

	if (name)
		snprintf(buf, BRIEF_BYTES, "%s%s%s", name, line ? " " : "", line ? line : "");
	else
		snprintf(buf, BRIEF_BYTES, "0x%" PRIx64, pc);
}

void brief_where(char buf[BRIEF_BYTES], const struct model *m, const struct model_thread *t)
{
	const struct model_frame *f = brief_frame(m, t);

	buf[0] = '\0';
	if (f)
		brief_pc(buf, m, f->pc);
}

/* Every sleeper is in these: they tell nothing. */
static bool is_scheduler(const char *name)
{
	static const char *const start[] = { "schedule",      "__schedule",
					     "io_schedule",   "bit_wait",
					     "__wait_on_bit", "out_of_line_wait_on_bit",
					     "__switch_to",   "do_wait_intr" };

	for (size_t i = 0; i < sizeof(start) / sizeof(start[0]); i++)
		if (!strncmp(name, start[i], strlen(start[i])))
			return true;
	return false;
}

const char *brief_wait_point(const struct model *m, const struct model_thread *t)
{
	const struct model_frame *frame;
	size_t n = model_stack(m, t, GRT_STACK_KERNEL, &frame);

	for (size_t i = 0; i < n; i++) {
		const char *name = model_text(m, GRT_TEXT_KERNEL, frame[i].pc);

		if (name && !is_scheduler(name))
			return name;
	}
	return NULL;
}
