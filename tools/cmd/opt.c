/* SPDX-License-Identifier: MIT */
/*
 * opt.c - rows of struct opt to values, and to usage text. Not getopt: an error names the option as
 * the user should write it and the character that is wrong, and there is one table, not three.
 */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../diag.h"
#include "cmd.h"

#define PID_MAX (1 << 22) /* the kernel's own limit */

/* An argument list that is being sorted: options are consumed, operands collected. */
struct args {
	const struct cmd *cmd;
	int argc;
	char **argv;
	int at;
};

static int bad_value(const struct opt *o, const char *text, const char *at, const char *what)
{
	if (*at)
		return -diag_error(EXIT_USAGE, "--%s '%s': unexpected '%c', want %s", o->long_name,
				   text, *at, what);
	return -diag_error(EXIT_USAGE, "--%s '%s': want %s", o->long_name, text, what);
}

static int uint_parse(const struct opt *o, const char *text)
{
	unsigned long v = 0;
	const char *s = text;

	for (; *s >= '0' && *s <= '9'; s++) {
		unsigned digit = (unsigned)(*s - '0');

		if (v > (ULONG_MAX - digit) / 10)
			return -diag_error(EXIT_USAGE, "--%s '%s': too large", o->long_name, text);
		v = v * 10 + digit;
	}
	if (*s || s == text)
		return bad_value(o, text, s, "a number");
	*(unsigned long *)o->value = v;
	return 0;
}

static int64_t unit_ns(const char *unit)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{ "", 1000000000 },
		{ "ns", 1 },
		{ "us", 1000 },
		{ "ms", 1000000 },
		{ "s", 1000000000 },
		{ "m", 60 * 1000000000ll },
		{ "h", 3600 * 1000000000ll },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(unit, units[i].name))
			return units[i].ns;
	return 0;
}

/* "1.5s": digits, perhaps a point and digits, a unit. In integers: 0.1s is exactly 100 ms. */
static int duration_parse(const struct opt *o, const char *text)
{
	static const char want[] = "a time such as 200ms, 1s or 1.5s";
	const char *s = text + strspn(text, "0123456789");
	const char *unit = *s == '.' ? s + 1 + strspn(s + 1, "0123456789") : s;
	int64_t scale = unit_ns(unit), ns = 0, part = scale;

	if (s == text || (*s == '.' && unit == s + 1))
		return bad_value(o, text, s == text ? s : unit, want);
	if (scale == 0)
		return bad_value(o, text, unit, want);
	for (const char *d = text; d < s; d++)
		if (__builtin_mul_overflow(ns, 10, &ns) ||
		    __builtin_add_overflow(ns, *d - '0', &ns))
			return -diag_error(EXIT_USAGE, "--%s '%s': too large", o->long_name, text);
	if (__builtin_mul_overflow(ns, scale, &ns))
		return -diag_error(EXIT_USAGE, "--%s '%s': too large", o->long_name, text);
	for (const char *d = s + 1; d < unit; d++) {
		part /= 10;
		if (__builtin_add_overflow(ns, part * (*d - '0'), &ns))
			return -diag_error(EXIT_USAGE, "--%s '%s': too large", o->long_name, text);
	}
	if (ns == 0)
		return bad_value(o, text, "", "more than 0");
	*(int64_t *)o->value = ns;
	return 0;
}

/* "1%", "0.25%", up to four decimals; 0% is no limit. */
static int percent_parse(const struct opt *o, const char *text)
{
	static const char want[] = "a share such as 1% or 0.5%, at most 100%";
	const char *s = text + strspn(text, "0123456789");
	const char *unit = *s == '.' ? s + 1 + strspn(s + 1, "0123456789") : s;
	uint32_t ppm = 0, scale = 10000;

	if (s == text || (*s == '.' && unit == s + 1))
		return bad_value(o, text, s == text ? s : unit, want);
	if (strcmp(unit, "%"))
		return bad_value(o, text, unit, want);
	if (s - text > 3 || atoi(text) > 100)
		return bad_value(o, text, "", want);
	ppm = (uint32_t)atoi(text) * scale;
	for (const char *d = s + 1; *s == '.' && d < unit; d++) {
		scale /= 10;
		ppm += scale * (uint32_t)(*d - '0');
	}
	if (ppm > 1000000)
		return bad_value(o, text, "", want);
	*(uint32_t *)o->value = ppm;
	return 0;
}

/* "64M": a whole number of bytes, or of KiB and so on. */
static int size_parse(const struct opt *o, const char *text)
{
	static const char want[] = "a size such as 65536, 64M or 1G";
	static const char units[] = "KMGT";
	const char *unit = text + strspn(text, "0123456789");
	const char *scale = *unit ? strchr(units, *unit) : NULL;
	uint64_t bytes = 0;

	if (unit == text || (*unit && (!scale || unit[1])))
		return bad_value(o, text, scale ? unit + 1 : unit, want);
	for (const char *d = text; d < unit; d++)
		if (__builtin_mul_overflow(bytes, 10, &bytes) ||
		    __builtin_add_overflow(bytes, *d - '0', &bytes))
			return -diag_error(EXIT_USAGE, "--%s '%s': too large", o->long_name, text);
	if (scale && __builtin_mul_overflow(bytes, 1ull << 10 * (scale - units + 1), &bytes))
		return -diag_error(EXIT_USAGE, "--%s '%s': too large", o->long_name, text);
	if (bytes == 0)
		return bad_value(o, text, "", "more than 0");
	*(uint64_t *)o->value = bytes;
	return 0;
}

static int text_add(const struct opt *o, const char *text)
{
	struct opt_texts *all = o->value;

	if (all->n == OPT_TEXTS_MAX)
		return -diag_error(EXIT_USAGE, "--%s: more than %d of them", o->long_name,
				   OPT_TEXTS_MAX);
	all->text[all->n++] = text;
	return 0;
}

static int value_set(const struct opt *o, const char *text)
{
	switch (o->type) {
	case OPT_FLAG:
		*(bool *)o->value = true;
		return 0;
	case OPT_UINT:
		return uint_parse(o, text);
	case OPT_DURATION:
		return duration_parse(o, text);
	case OPT_SIZE:
		return size_parse(o, text);
	case OPT_PERCENT:
		return percent_parse(o, text);
	case OPT_TEXTS:
		return text_add(o, text);
	default:
		*(const char **)o->value = text;
		return 0;
	}
}

/* Value of an option that has one: what is attached, else the next argument. */
static int with_value(struct args *a, const struct opt *o, const char *attached)
{
	if (o->type == OPT_FLAG)
		return value_set(o, NULL);
	if (attached)
		return value_set(o, attached);
	if (a->at + 1 >= a->argc)
		return -diag_error(EXIT_USAGE, "--%s: %s is missing", o->long_name, o->arg_name);
	return value_set(o, a->argv[++a->at]);
}

/* "interval", "int", "interval=1s" */
static int long_parse(struct args *a, const char *text)
{
	size_t len = strcspn(text, "=");
	const struct opt *found = NULL, *o;

	for (o = a->cmd->opts; o && o->long_name; o++) {
		if (strncmp(o->long_name, text, len))
			continue;
		if (o->long_name[len] == 0) {
			found = o;
			break;
		}
		if (found)
			return -diag_error(EXIT_USAGE, "--%.*s: may be --%s or --%s", (int)len,
					   text, found->long_name, o->long_name);
		found = o;
	}
	if (!found)
		return -diag_error(EXIT_USAGE, "--%.*s: no such option of %s", (int)len, text,
				   a->cmd->name);
	if (found->type == OPT_FLAG && text[len])
		return -diag_error(EXIT_USAGE, "--%s: takes no value, has '%s'", found->long_name,
				   text + len);
	return with_value(a, found, text[len] ? text + len + 1 : NULL);
}

/* "i1s", "ab": flags may be bundled, the first option with a value takes the rest. */
static int short_parse(struct args *a, const char *text)
{
	for (; *text; text++) {
		const struct opt *o = a->cmd->opts;

		while (o && o->long_name && o->short_name != *text)
			o++;
		if (!o || !o->long_name)
			return -diag_error(EXIT_USAGE, "-%c: no such option of %s", *text,
					   a->cmd->name);
		if (o->type != OPT_FLAG)
			return with_value(a, o, text[1] ? text + 1 : NULL);
		value_set(o, NULL);
	}
	return 0;
}

int opt_parse(const struct cmd *c, int argc, char **argv)
{
	struct args a = { .cmd = c, .argc = argc, .argv = argv, .at = 1 };
	char **operand = calloc((size_t)argc + 1, sizeof(*operand));
	int n = 0, rc = 0, first;

	if (!operand)
		return -diag_error(EXIT_SYSTEM, "out of memory");
	/* An error in the arguments is JSON, too, wherever --json stands among them. */
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--json"))
			diag_json(true);
	for (; rc == 0 && a.at < argc; a.at++) {
		char *arg = argv[a.at];

		if (!strcmp(arg, "--")) {
			if (c->takes_command)
				operand[n++] = arg;
			while (++a.at < argc)
				operand[n++] = argv[a.at];
		} else if (!strncmp(arg, "--", 2)) {
			rc = long_parse(&a, arg + 2);
		} else if (arg[0] == '-' && arg[1]) {
			rc = short_parse(&a, arg + 1);
		} else {
			operand[n++] = arg;
		}
	}
	/* There are at most argc - 1 operands, so they fit behind the verb. */
	first = argc - n;
	if (rc == 0 && n > 0)
		memcpy(argv + first, operand, (size_t)n * sizeof(*operand));
	free(operand);
	return rc < 0 ? rc : first;
}

void opt_usage(const struct cmd *c, void *out_file)
{
	FILE *out = out_file;

	fprintf(out, "usage: gotrace %s%s%s%s\n\n  %s\n", c->name,
		c->opts && c->opts->long_name ? " [options]" : "", *c->args ? " " : "", c->args,
		c->help);
	if (!c->opts || !c->opts->long_name)
		return;
	fputc('\n', out);
	for (const struct opt *o = c->opts; o->long_name; o++) {
		char left[64], brief[8] = "   ";

		if (o->short_name)
			snprintf(brief, sizeof(brief), "-%c,", o->short_name);
		snprintf(left, sizeof(left), "%s --%s%s%s", brief, o->long_name,
			 o->arg_name ? " " : "", o->arg_name ? o->arg_name : "");
		fprintf(out, "  %-24s %s\n", left, o->help);
	}
}

int opt_pid(const char *text)
{
	const char *end = text + strspn(text, "0123456789");
	long pid = strtol(text, NULL, 10);

	if (*end)
		return diag_error(EXIT_USAGE, "'%s' is not a pid: unexpected '%c'", text, *end), 0;
	if (end == text)
		return diag_error(EXIT_USAGE, "'' is not a pid"), 0;
	if (pid <= 0 || pid > PID_MAX)
		return diag_error(EXIT_USAGE, "'%s' is not a pid: pids are 1 to %d", text, PID_MAX),
		       0;
	return (int)pid;
}
