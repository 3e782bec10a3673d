/* SPDX-License-Identifier: MIT */
/*
 * check.c - gotrace check: what must not be of a process, for CI.
 *
 *	$ gotrace check --for 10s --fail-on 'blocked.max>100ms' --fail-on 'threads>64' 4711
 *	violated      blocked.max>100ms: it is: 134ms, 200ms after the first look
 *	  M2 (tid 23527), G3, blocked for 134ms in read(5</tmp/x/fifo-1>, 1)
 *	holds         threads>64: it was not, at any of 99 looks: 12 at the last
 *	1 violated, 0 inconclusive, 1 holds
 *
 * Exit code 1 if one is violated, else 3 if one is inconclusive, else 0. What a command says goes to
 * stderr: the report is alone on stdout.
 */
#include <string.h>

#include "../diag.h"
#include "check_expr.h"
#include "check_judge.h"
#include "session.h"

#define LOOK_NS 100000000ll  /* short against what people set bounds for, and cheap */
#define FOR_NS 10000000000ll /* of a process that need not end by itself */

static struct opt_texts fail_on;
static const char *format;

static const struct {
	const char *name;
	enum view_format format;
} formats[] = {
	{ "text", VIEW_TEXT },
	{ "tap", VIEW_TAP },
	{ "junit", VIEW_JUNIT },
	{ "json", VIEW_JSON },
};

static int format_read(enum view_format *ret)
{
	*ret = VIEW_TEXT;
	if (!format)
		return EXIT_FINE;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!strcmp(format, formats[i].name)) {
			*ret = formats[i].format;
			if (session_opts.json && *ret != VIEW_JSON)
				return diag_error(EXIT_USAGE, "--json, --format %s: one of them",
						  format);
			session_opts.json = *ret == VIEW_JSON;
			diag_json(session_opts.json);
			return EXIT_FINE;
		}
	diag_error(EXIT_USAGE, "--format '%s': no such format", format);
	diag_hint("text, tap, junit or json");
	return EXIT_USAGE;
}

/* All of them, so that one run shows every mistake. */
static int exprs_read(struct check_expr *ret)
{
	int code = EXIT_FINE;

	if (fail_on.n == 0) {
		diag_error(EXIT_USAGE, "check: what must not be? --fail-on is missing");
		diag_hint("--fail-on 'blocked.max>100ms' --fail-on 'threads>64'");
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < fail_on.n; i++) {
		struct check_error error;

		if (check_expr_parse(&ret[i], fail_on.text[i], &error))
			continue;
		code = diag_error(EXIT_USAGE, "cannot check: '%s': %s", fail_on.text[i], error.why);
		diag_point(fail_on.text[i], error.at, error.bytes);
		if (error.hint[0])
			diag_hint("%s", error.hint);
	}
	return code;
}

static void look(void *arg, const struct model *m)
{
	judge_look(arg, m);
}

static enum session_stacks stacks(void *arg, const struct model *m)
{
	switch (judge_stacks(arg, m, (uint64_t)session_opts.interval_ns)) {
	case JUDGE_STACKS_NOW:
		return SESSION_STACKS_NOW;
	case JUDGE_STACKS_IN_CASE:
		return SESSION_STACKS_IN_CASE;
	default:
		return SESSION_NO_STACKS;
	}
}

static bool is_sure(void *arg)
{
	return judge_is_sure(arg);
}

static void end(void *arg, const struct model *m, const struct source_status *st,
		const struct view_end *e)
{
	judge_end(arg, m, st, e);
}

static const struct session_judge judge = {
	.stacks = stacks,
	.look = look,
	.is_sure = is_sure,
	.end = end,
};

/* What was judged has the last word, if there was something to judge. */
static int code_of(const struct check_results *all, int code)
{
	if (code != EXIT_FINE && code != EXIT_LOST)
		return code;
	if (check_count(all, CHECK_VIOLATED))
		return EXIT_CHECK;
	return check_count(all, CHECK_INCONCLUSIVE) ? EXIT_LOST : code;
}

static void wants_read(struct verb *v, const struct check_expr *e, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (e[i].quantity->needs & CHECK_NETPOLL)
			v->want.kinds |= KIND(netpoll_run);
		v->want.want_goroutines |= e[i].quantity->id == CHECK_Q_NETPOLL_WAITING;
	}
}

static int run(int argc, char **argv)
{
	static struct check_expr expr[OPT_TEXTS_MAX];
	struct judge j;
	struct verb verb = {
		.name = "check",
		.report = &report_check,
		.want = { .kinds = COLD_KINDS,
			  .want_switches = true,
			  .want_names = true,
			  .want_stacks = true,
			  .stacks_on_demand = true },
		.needs_events = true,
		.judge = &judge,
		.judge_arg = &j,
		.interval_ns = LOOK_NS,
		.for_ns = FOR_NS,
		.is_document = true,
	};
	int code = format_read(&verb.format);

	if (code == EXIT_FINE)
		code = exprs_read(expr);
	if (code != EXIT_FINE)
		return code;
	if (!judge_init(&j, expr, fail_on.n))
		return diag_error(EXIT_SYSTEM, "out of memory");
	verb.report_opts = &j.results;
	wants_read(&verb, expr, fail_on.n);
	code = code_of(&j.results, session_main(&verb, argc, argv));
	judge_fini(&j);
	return code;
}

static const struct opt opts[] = {
	{ "fail-on", 0, OPT_TEXTS, "EXPRESSION",
	  "what must not be, as 'blocked.max>100ms'; again "
	  "for more",
	  &fail_on },
	{ "format", 0, OPT_TEXT, "text|tap|junit|json", "how it is told (text)", &format },
	SESSION_OPTS_OF("100ms", "1%"),
	{ NULL, 0, OPT_FLAG, NULL, NULL, NULL },
};

const struct cmd cmd_check = {
	.name = "check",
	.args = SESSION_ARGS,
	.help = "what must not be: violated, holds or inconclusive, for CI",
	.opts = opts,
	.takes_command = true,
	.run = run,
};
