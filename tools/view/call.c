/* SPDX-License-Identifier: MIT */
/* call.c - see call.h. Which arguments a call shows, and how, is a row of ../syscalls_x86_64.def. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../model/brief.h"
#include "../syscalls.h"
#include "call.h"

/* A growing line that never overflows. */
struct line {
	char *buf;
	size_t bytes, n;
};

__attribute__((format(printf, 2, 3))) static void put(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->buf + l->n, l->bytes - l->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->n += (size_t)n < l->bytes - l->n ? (size_t)n : l->bytes - l->n - 1;
}

static void put_fd(struct line *l, const struct model *m, int fd, uint64_t look)
{
	const char *name = model_text_at(m, GRT_TEXT_FD, (uint64_t)fd, look);

	put(l, "%d", fd);
	if (name)
		put(l, "<%s>", name);
}

static void put_quoted(struct line *l, const char *text)
{
	put(l, "\"");
	for (; *text; text++)
		put(l, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	put(l, "\"");
}

/* A file or a directory is what anybody expects. */
static void put_path(struct line *l, const char *path, const char *kind)
{
	put_quoted(l, path);
	if (kind && kind[0] && strcmp(kind, "file") && strcmp(kind, "directory"))
		put(l, "<%s>", kind);
}

static void put_arg(struct line *l, const struct model *m, char how, uint64_t v, uint64_t look)
{
	const char *text;

	switch (how) {
	case 'a':
		if ((int)v == AT_FDCWD)
			put(l, "AT_FDCWD");
		else
			put_fd(l, m, (int)v, look);
		break;
	case 'f':
		put_fd(l, m, (int)v, look);
		break;
	case 'p':
		text = model_text(m, GRT_TEXT_STRING, v);
		if (text)
			put_path(l, text, model_text(m, GRT_TEXT_STRING_KIND, v));
		else
			put(l, "0x%" PRIx64, v);
		break;
	case 'P':
		text = model_text(m, GRT_TEXT_STRING, v);
		if (text)
			put(l, "[%s]", text);
		else
			put(l, "0x%" PRIx64, v);
		break;
	case 'd':
		put(l, "%d", (int)v);
		break;
	case 'u':
		put(l, "%" PRIu64, v);
		break;
	default:
		put(l, "0x%" PRIx64, v);
	}
}

/* The runtime notes the first argument only: then "..." stands for the rest. */
static void put_args(struct line *l, const struct model *m, const struct syscall_desc *d,
		     const struct model_thread *t)
{
	const char *comma = "", *args = d->args;

	for (int i = 0; i < GRT_REC_ARGS && args[i]; i++) {
		if (!t->has_args && i > 0) {
			put(l, "%s...", comma);
			return;
		}
		if (args[i] == '.')
			continue;
		put(l, "%s", comma);
		put_arg(l, m, syscall_letter(d, i, t->has_args ? t->args : NULL),
			t->has_args ? t->args[i] : t->call_arg, t->names_look);
		comma = ", ";
	}
}

static void put_syscall(struct line *l, const struct model *m, const struct model_thread *t,
			int32_t nr)
{
	const struct syscall_desc *d = syscall_desc(nr);

	if (d)
		put(l, "%s", d->name);
	else
		put(l, "syscall_%d", nr);
	if (!d || !d->args[0])
		return;
	put(l, "(");
	put_args(l, m, d, t);
	put(l, ")");
}

static void put_foreign(struct line *l, const struct model *m, const struct model_thread *t)
{
	const char *name = model_text(m, GRT_TEXT_FUNCTION, t->call_arg);

	if (name)
		put(l, "foreign %s", name);
	else
		put(l, "foreign 0x%" PRIx64, t->call_arg);
}

/* "page fault at 0x7f2c40000010</data/index>" */
static void put_fault(struct line *l, const struct model *m, const struct model_thread *t)
{
	const char *mapping = model_text(m, GRT_TEXT_MAPPING, t->fault_addr);

	put(l, "page fault");
	if (!t->fault_addr)
		return;
	put(l, " at 0x%" PRIx64, t->fault_addr);
	if (mapping)
		put(l, "<%s>", mapping);
}

/* A P that can run nobody, though its M is in no call that we know of. */
static const char *hostage_why(const struct model_thread *t)
{
	switch (t->kernel_state) {
	case 'T':
	case 't':
		return "stopped";
	case 'D':
		return "in the kernel: page fault, disk or lock";
	default:
		return "asleep outside of any call: page fault or lock";
	}
}

void call_text(char *buf, size_t bytes, const struct model *m, const struct model_thread *t)
{
	struct line l = { .buf = buf, .bytes = bytes };

	buf[0] = '\0';
	if (t->nr == GRT_NR_FOREIGN) {
		put_foreign(&l, m, t);
		if (t->inner_nr_1) {
			put(&l, ": ");
			put_syscall(&l, m, t, t->inner_nr_1 - 1);
		} else if (brief_is_in_page_fault(m, t)) {
			put(&l, ": ");
			put_fault(&l, m, t);
		}
	} else if (t->nr >= 0) {
		put_syscall(&l, m, t, t->nr);
	} else if (t->state == GRT_MS_hostage && brief_is_in_page_fault(m, t)) {
		put_fault(&l, m, t);
	} else if (t->state == GRT_MS_hostage) {
		put(&l, "%s", hostage_why(t));
	}
	if (t->attr & GRT_MA_WAITING)
		put(&l, "%s%s", l.n ? "; " : "",
		    t->attr & GRT_MA_THROTTLED ? "throttled by its cgroup's quota"
					       : "waits for a CPU");
}
