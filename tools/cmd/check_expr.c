/* SPDX-License-Identifier: MIT */
/*
 * check_expr.c - see check_expr.h. An error points at the first character that cannot be right; a word
 * that is wrong as a whole is pointed at as a whole.
 */
#include "check_expr.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "near.h"

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define NAME_CHARS LETTERS DIGITS "._"
#define OP_CHARS "<>=!"
#define BLANKS " \t"
#define NAME_BYTES 32
#define PPM_PER_PERCENT 10000

const struct check_quantity check_quantities[CHECK_QUANTITIES_N] = {
#define CHECK_ROW(id, name, unit, when, percentile, needs) \
	{ CHECK_Q_##id, name, CHECK_##unit, CHECK_##when, percentile, needs },
	CHECK_QUANTITIES(CHECK_ROW)
#undef CHECK_ROW
};

/* Longer ones first: ">=" is not ">" and something. */
static const struct {
	const char *text;
	enum check_op op;
} ops[] = {
	{ ">=", CHECK_GE }, { "<=", CHECK_LE }, { "==", CHECK_EQ },
	{ "!=", CHECK_NE }, { ">", CHECK_GT },  { "<", CHECK_LT },
};

struct parser {
	const char *text, *at;
	struct check_error *error;
};

__attribute__((format(printf, 4, 5))) static bool refuse(struct parser *p, const char *at,
							 size_t bytes, const char *fmt, ...)
{
	va_list ap;

	p->error->at = (size_t)(at - p->text);
	p->error->bytes = bytes;
	va_start(ap, fmt);
	vsnprintf(p->error->why, sizeof(p->error->why), fmt, ap);
	va_end(ap);
	return false;
}

__attribute__((format(printf, 2, 3))) static void hint(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->error->hint, sizeof(p->error->hint), fmt, ap);
	va_end(ap);
}

static void blanks_skip(struct parser *p)
{
	p->at += strspn(p->at, BLANKS);
}

static bool is_near(const char *name, const char *quantity)
{
	size_t n = strlen(name);
	const char *dot = strchr(quantity, '.');

	if (near_typos(name, quantity) <= NEAR_TYPOS_MAX || (n > 1 && !strncmp(quantity, name, n)))
		return true;
	/* "p99": the part behind the dot alone. */
	return dot && !strcmp(dot + 1, name);
}

static void hint_near(struct parser *p, const char *name)
{
	char list[sizeof(p->error->hint) - 32] = "";
	unsigned best = NEAR_TYPOS_MAX + 1;
	size_t n = 0;

	/* Who mistyped by one letter did not mean what is two letters away. */
	for (int i = 0; i < CHECK_QUANTITIES_N; i++) {
		unsigned typos = near_typos(name, check_quantities[i].name);

		best = typos < best ? typos : best;
	}
	for (int i = 0; i < CHECK_QUANTITIES_N && n < sizeof(list) - NAME_BYTES; i++) {
		const char *q = check_quantities[i].name;
		bool is_listed = best <= NEAR_TYPOS_MAX ? near_typos(name, q) == best
							: is_near(name, q);

		if (*name && is_listed)
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s'%s'", n ? ", " : "",
					      q);
	}
	if (n)
		hint(p, "did you mean %s?", list);
	else
		hint(p, "such as threads, blocked.max, handoff.p99; all are in gotrace-check(1)");
}

/* A word that is none ends where an operator or a blank stands; one that is, with the name. */
static bool quantity_parse(struct parser *p, struct check_expr *ret)
{
	size_t n = strspn(p->at, NAME_CHARS), word;
	char name[NAME_BYTES];

	for (int i = 0; i < CHECK_QUANTITIES_N; i++)
		if (strlen(check_quantities[i].name) == n &&
		    !strncmp(check_quantities[i].name, p->at, n)) {
			ret->quantity = &check_quantities[i];
			p->at += n;
			return true;
		}
	word = strcspn(p->at, OP_CHARS BLANKS);
	snprintf(name, sizeof(name), "%.*s", (int)(word < NAME_BYTES ? word : NAME_BYTES), p->at);
	hint_near(p, name);
	if (word == 0)
		return refuse(p, p->at, 1, "a quantity is missing");
	return refuse(p, p->at, word, "no such quantity");
}

static bool op_parse(struct parser *p, struct check_expr *ret)
{
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (!strncmp(p->at, ops[i].text, strlen(ops[i].text))) {
			ret->op = ops[i].op;
			p->at += strlen(ops[i].text);
			return true;
		}
	if (!strncmp(p->at, "=>", 2) || !strncmp(p->at, "=<", 2))
		hint(p, "did you mean '%c='?", p->at[1]);
	else
		hint(p, "%s", *p->at == '=' ? "did you mean '=='?" : "one of > >= < <= == !=");
	if (!*p->at)
		return refuse(p, p->at, 1, "an operator is missing");
	return refuse(p, p->at, 1, "an operator must stand here");
}

/* Digits, and digits behind a point, scaled; decimals below 1 are cut. */
static bool number_parse(struct parser *p, const char *unit, uint64_t scale, uint64_t *ret)
{
	const char *start = p->at;
	uint64_t v = 0, part = scale;

	for (; *p->at >= '0' && *p->at <= '9'; p->at++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p->at - '0'), &v))
			return refuse(p, start, (size_t)(unit - start), "too large");
	if (__builtin_mul_overflow(v, scale, &v))
		return refuse(p, start, (size_t)(unit - start), "too large");
	if (*p->at == '.')
		p->at++;
	for (; p->at < unit; p->at++) {
		part /= 10;
		if (__builtin_add_overflow(v, part * (uint64_t)(*p->at - '0'), &v))
			return refuse(p, start, (size_t)(unit - start), "too large");
	}
	*ret = v;
	return true;
}

static uint64_t unit_ns(const char *unit, size_t n)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "ns", 1 },
		{ "us", 1000 },
		{ "ms", 1000000 },
		{ "s", 1000000000 },
		{ "m", 60 * 1000000000ull },
		{ "h", 3600 * 1000000000ull },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strlen(units[i].name) == n && !strncmp(units[i].name, unit, n))
			return units[i].ns;
	return 0;
}

/* n: bytes of what stands where the unit must; 0: nothing. */
static bool time_parse(struct parser *p, const char *unit, size_t n, uint64_t *ret)
{
	uint64_t scale = unit_ns(unit, n);
	bool is_zero = n == 0 && strspn(p->at, "0.") == (size_t)(unit - p->at);

	if (is_zero)
		scale = 1;
	if (!scale) {
		hint(p, "the bound is a time: 500us, 100ms, 1.5s; units are ns us ms s m h");
		return refuse(p, unit, n ? n : 1, n ? "no such unit of time" : "a unit is missing");
	}
	return number_parse(p, unit, scale, ret);
}

static bool share_parse(struct parser *p, const char *unit, size_t n, uint64_t *ret)
{
	if (n != 1 || *unit != '%') {
		hint(p, "the bound is a share: 1%%, 0.25%%");
		return refuse(p, unit, n ? n : 1, n ? "a share ends in %%" : "'%%' is missing");
	}
	return number_parse(p, unit, PPM_PER_PERCENT, ret);
}

static bool count_parse(struct parser *p, const char *unit, size_t n, uint64_t *ret)
{
	const char *point = memchr(p->at, '.', (size_t)(unit - p->at));

	hint(p, "the bound is a number of things: 64");
	if (point)
		return refuse(p, point, 1, "a whole number is needed");
	if (n)
		return refuse(p, unit, n, "a count has no unit");
	p->error->hint[0] = '\0';
	return number_parse(p, unit, 1, ret);
}

static bool bound_parse(struct parser *p, struct check_expr *ret)
{
	const char *start = p->at, *unit = start + strspn(start, DIGITS);
	size_t n;

	if (unit == start) {
		hint(p, "such as %s>%s", ret->quantity->name,
		     ret->quantity->unit == CHECK_NS    ? "100ms"
		     : ret->quantity->unit == CHECK_PPM ? "1%"
							: "64");
		return refuse(p, start, 1,
			      *start ? "a number must stand here" : "a number is missing");
	}
	if (*unit == '.') {
		unit++;
		if (!strspn(unit, DIGITS))
			return refuse(p, unit, 1, "a digit must stand behind the point");
		unit += strspn(unit, DIGITS);
	}
	n = *unit == '%' ? 1 : strspn(unit, LETTERS);
	switch (ret->quantity->unit) {
	case CHECK_NS:
		if (!time_parse(p, unit, n, &ret->bound))
			return false;
		break;
	case CHECK_PPM:
		if (!share_parse(p, unit, n, &ret->bound))
			return false;
		break;
	case CHECK_COUNT:
		if (!count_parse(p, unit, n, &ret->bound))
			return false;
		break;
	}
	p->at = unit + n;
	return true;
}

/* One that no value can make true, or none false, would look like a check. */
static bool sense_check(struct parser *p, const struct check_expr *e, const char *bound)
{
	size_t n = strlen(bound);

	while (n && strchr(BLANKS, bound[n - 1]))
		n--;
	if (e->bound != 0)
		return true;
	if (e->op == CHECK_LT)
		return refuse(p, bound, n, "nothing is below 0: this never fails");
	if (e->op == CHECK_GE)
		return refuse(p, bound, n, "nothing is below 0: this always fails");
	return true;
}

bool check_expr_parse(struct check_expr *ret, const char *text, struct check_error *error)
{
	struct parser p = { .text = text, .at = text, .error = error };
	const char *bound;

	*ret = (struct check_expr){ .text = text };
	*error = (struct check_error){ 0 };
	blanks_skip(&p);
	if (!quantity_parse(&p, ret))
		return false;
	blanks_skip(&p);
	if (!op_parse(&p, ret))
		return false;
	blanks_skip(&p);
	bound = p.at;
	if (!bound_parse(&p, ret))
		return false;
	blanks_skip(&p);
	if (*p.at) {
		hint(&p, "one expression for each --fail-on");
		return refuse(&p, p.at, strlen(p.at), "nothing may follow");
	}
	return sense_check(&p, ret, bound);
}

const char *check_op_text(enum check_op op)
{
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (ops[i].op == op)
			return ops[i].text;
	return "?";
}

bool check_op_is_true(enum check_op op, uint64_t value, uint64_t bound)
{
	switch (op) {
	case CHECK_GT:
		return value > bound;
	case CHECK_GE:
		return value >= bound;
	case CHECK_LT:
		return value < bound;
	case CHECK_LE:
		return value <= bound;
	case CHECK_EQ:
		return value == bound;
	case CHECK_NE:
		return value != bound;
	default:
		return false;
	}
}
