/* SPDX-License-Identifier: MIT */
/* modules.c - see modules.h. */
#include "modules.h"

#include <string.h>

#include "wrap.h"

#define MODULES_MAX 16 /* more are not shown: a stack has few */
#define LINE_BYTES 512

struct modules {
	const char *text[MODULES_MAX]; /* "libx.so 1f40a7..." */
	size_t n;
};

static void add(struct modules *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->text[i], text))
			return;
	if (l->n < MODULES_MAX)
		l->text[l->n++] = text;
}

static void find(struct modules *l, const struct model *m)
{
	const struct model_thread *t;
	const struct model_frame *f;
	size_t threads = model_threads(m, &t);

	l->n = 0;
	for (size_t i = 0; i < threads; i++) {
		size_t n = model_stack(m, &t[i], GRT_STACK_USER, &f);

		for (size_t k = 0; k < n; k++) {
			const char *text = model_text(m, GRT_TEXT_BUILD_ID, f[k].pc);

			if (text)
				add(l, text);
		}
	}
}

void modules_text(struct view *v, const struct model *m)
{
	struct modules l;
	char line[LINE_BYTES];

	find(&l, m);
	for (size_t i = 0; i < l.n; i++) {
		const char *id = strrchr(l.text[i], ' ');

		snprintf(line, sizeof(line), "no symbols for what is in %.*s: its build-id is %s",
			 (int)(id - l.text[i]), l.text[i], id + 1);
		wrap_put(v->out, line, 0, v->columns);
	}
}

void modules_json(struct json *j, const struct model *m)
{
	struct modules l;
	char name[LINE_BYTES];

	find(&l, m);
	json_open(j, "unnamed_modules", '[');
	for (size_t i = 0; i < l.n; i++) {
		const char *id = strrchr(l.text[i], ' ');

		snprintf(name, sizeof(name), "%.*s", (int)(id - l.text[i]), l.text[i]);
		json_open(j, NULL, '{');
		json_text(j, "module", name);
		json_text(j, "build_id", id + 1);
		json_close(j);
	}
	json_close(j);
}
