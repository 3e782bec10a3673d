/* SPDX-License-Identifier: MIT */
/*
 * screen.h - what a report prints, in memory, compared byte by byte with a file of tests/golden.
 * After a change that is meant: run the test with GOLDEN_UPDATE=1, and read the difference.
 */
#ifndef TEST_SCREEN_H
#define TEST_SCREEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/view/schema.h"
#include "../../tools/view/view.h"
#include "schema.h"

struct screen {
	char *text;
	size_t bytes;
	FILE *out;
	struct model *model;
};

static inline void screen_open(struct screen *s)
{
	s->out = open_memstream(&s->text, &s->bytes);
	s->model = model_new();
	assert_non_null(s->out);
	assert_non_null(s->model);
}

static inline struct view *text_new(struct screen *s, const struct report *r, unsigned int columns,
				    unsigned int lines)
{
	return view_new(s->out, r, &(struct view_opts){ .columns = columns, .lines = lines });
}

static inline struct view *json_new(struct screen *s, const struct report *r)
{
	return view_new(s->out, r, &(struct view_opts){ .format = VIEW_JSON });
}

static inline char *file_read(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = NULL;
	size_t cap = 0;
	ssize_t n;

	if (!in)
		return NULL;
	n = getdelim(&text, &cap, '\0', in);
	fclose(in);
	if (n >= 0)
		return text;
	free(text);
	return NULL;
}

static inline void golden_write(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *out;

	snprintf(path, sizeof(path), "%.*s/%s", (int)(strrchr(dir, '/') - dir), dir, name);
	out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static inline void screen_is(struct screen *s, const char *name)
{
	char path[PATH_MAX], relative[128], *want;

	fclose(s->out);
	model_free(s->model);
	if (getenv("GOLDEN_UPDATE")) {
		assert_true(tree_find("tests/golden/README.md", path, sizeof(path)));
		golden_write(path, name, s->text);
	}
	snprintf(relative, sizeof(relative), "tests/golden/%s", name);
	assert_true(tree_find(relative, path, sizeof(path)));
	want = file_read(path);
	assert_non_null(want);
	assert_string_equal(s->text, want);
	free(want);
	free(s->text);
}

static inline size_t longest_line(const char *text)
{
	size_t longest = 0;

	while (*text) {
		size_t n = strcspn(text, "\n");

		longest = n > longest ? n : longest;
		text += n + (text[n] == '\n');
	}
	return longest;
}

/* Does the golden file hold what the schema of a report promises? */
static inline bool golden_fits(const char *report, const char *name)
{
	char path[PATH_MAX], relative[128], schema[] = "/tmp/golden_schema.XXXXXX";
	FILE *out = fdopen(mkstemp(schema), "w");
	bool ok;

	assert_non_null(out);
	assert_true(schema_print(report, out));
	fclose(out);
	snprintf(relative, sizeof(relative), "tests/golden/%s", name);
	assert_true(tree_find(relative, path, sizeof(path)));
	ok = schema_file_holds(schema, path);
	unlink(schema);
	return ok;
}

#endif
