/* SPDX-License-Identifier: MIT */
/* call.c - see call.h. Which arguments a call shows, and how, is a row of syscalls_x86_64.def. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "call.h"

struct call_desc {
	const char *name, *args;
};

static const struct call_desc table[] = {
#define SYSCALL(nr, name, args) [nr] = { #name, args },
#include "syscalls_x86_64.def"
#undef SYSCALL
};

#define TABLE_LEN (int32_t)(sizeof(table) / sizeof(table[0]))

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

static const struct call_desc *desc_of(int32_t nr)
{
	return nr >= 0 && nr < TABLE_LEN && table[nr].name ? &table[nr] : NULL;
}

const char *call_name(int32_t nr)
{
	const struct call_desc *d = desc_of(nr);

	return d ? d->name : NULL;
}

static void put_fd(struct line *l, int fd, const struct call_names *names)
{
	char name[CALL_BYTES];

	put(l, "%d", fd);
	if (names && names->fd && names->fd(names->arg, fd, name, sizeof(name)))
		put(l, "<%s>", name);
}

static void put_quoted(struct line *l, const char *text)
{
	put(l, "\"");
	for (; *text; text++)
		put(l, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	put(l, "\"");
}

static void put_arg(struct line *l, char how, uint64_t v, const struct call_names *names)
{
	char text[CALL_BYTES];

	switch (how) {
	case 'a':
		if ((int)v == AT_FDCWD)
			put(l, "AT_FDCWD");
		else
			put_fd(l, (int)v, names);
		break;
	case 'f':
		put_fd(l, (int)v, names);
		break;
	case 'p':
		if (names && names->text && names->text(names->arg, v, text, sizeof(text)))
			put_quoted(l, text);
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
static void put_args(struct line *l, const char *args, const struct model_thread *t,
		     const struct call_names *names)
{
	const char *comma = "";

	for (int i = 0; i < GRT_REC_ARGS && args[i]; i++) {
		if (!t->has_args && i > 0) {
			put(l, "%s...", comma);
			return;
		}
		if (args[i] == '.')
			continue;
		put(l, "%s", comma);
		put_arg(l, args[i], t->has_args ? t->args[i] : t->call_arg, names);
		comma = ", ";
	}
}

static void put_foreign(struct line *l, const struct model_thread *t,
			const struct call_names *names)
{
	char name[CALL_BYTES];

	if (names && names->symbol && names->symbol(names->arg, t->call_arg, name, sizeof(name)))
		put(l, "foreign %s", name);
	else
		put(l, "foreign 0x%" PRIx64, t->call_arg);
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

void call_text(char *buf, size_t bytes, const struct model_thread *t,
	       const struct call_names *names)
{
	const struct call_desc *d = desc_of(t->nr);
	struct line l = { .buf = buf, .bytes = bytes };

	buf[0] = '\0';
	if (t->nr == GRT_NR_FOREIGN) {
		put_foreign(&l, t, names);
	} else if (d) {
		put(&l, "%s", d->name);
		if (d->args[0]) {
			put(&l, "(");
			put_args(&l, d->args, t, names);
			put(&l, ")");
		}
	} else if (t->nr >= 0) {
		put(&l, "syscall_%d", t->nr);
	} else if (t->state == GRT_MS_hostage) {
		put(&l, "%s", hostage_why(t));
	}
	if (t->attr & GRT_MA_WAITING)
		put(&l, "%swaits for a CPU", l.n ? "; " : "");
}
