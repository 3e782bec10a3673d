/* SPDX-License-Identifier: MIT */
/* trial.h - a process that is told by records, and the expressions that judge it. */
#ifndef TEST_TRIAL_H
#define TEST_TRIAL_H

#include "../../tools/cmd/check_judge.h"
#include "scene.h"

#define EXPRS_MAX 8

static const struct source_status armed = { .pid = 4711, .armed = 9, .wanted = 9 };
static const struct view_end asked = { .why = VIEW_ASKED, .rows = 2, .observed_ns = SEC_NS };

struct trial {
	struct model *model;
	struct judge judge;
	struct check_expr expr[EXPRS_MAX];
	uint64_t handoffs;
};

/* Ends with NULL. */
static inline void trial_begin(struct trial *t, ...)
{
	struct check_error error;
	const char *text;
	size_t n = 0;
	va_list ap;

	memset(t, 0, sizeof(*t));
	va_start(ap, t);
	while ((text = va_arg(ap, const char *)))
		if (!check_expr_parse(&t->expr[n++], text, &error))
			fail_msg("'%s': %s", text, error.why);
	va_end(ap);
	t->model = model_new();
	assert_non_null(t->model);
	assert_true(judge_init(&t->judge, t->expr, n));
}

static inline void look(struct trial *t, uint64_t time_ns, const struct row *rows, size_t n)
{
	const struct counts c = { .handoffs = t->handoffs, .self_blocks = t->handoffs };

	rec_snapshot(t->model, time_ns, 2, 1, rows, n, &c);
	model_tick(t->model, time_ns);
	judge_look(&t->judge, t->model);
}

/* The answer to the first expression. */
static inline const struct check_result *trial_end(struct trial *t, const struct source_status *st,
						   const struct view_end *e)
{
	static struct check_result ret;

	model_tick(t->model, UINT64_MAX);
	judge_end(&t->judge, t->model, st, e);
	ret = t->judge.results.row[0];
	judge_fini(&t->judge);
	model_free(t->model);
	return &ret;
}

#endif
