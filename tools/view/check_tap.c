/* SPDX-License-Identifier: MIT */
/*
 * check_tap.c - gotrace check as TAP 13: a test a check. What is inconclusive is "not ok", and its
 * diagnosis says so: TAP has no third answer, and a skipped test counts as passed.
 *
 *	TAP version 13
 *	1..2
 *	# pid 4711 (growth), libgrt, level 1, 9/9 armed
 *	ok 1 - threads>64
 *	not ok 2 - blocked.max>100ms
 *	  ---
 *	  answer: violated
 *	  message: "it is: 134ms, 200ms after the first look"
 *	  evidence: |
 *	    M2 (tid 23527), G3, blocked for 134ms in read(5</tmp/x/fifo-1>, 1)
 *	  ...
 */
#include <stdlib.h>
#include <string.h>

#include "check_formats.h"
#include "fmt.h"

#define LINE_BYTES 1024

void check_subject(char *buf, size_t bytes, const struct view_head *h)
{
	char comm[64];

	fmt_clean(comm, sizeof(comm), h->comm, sizeof(comm));
	snprintf(buf, bytes, "%spid %d (%s), %s, level %d, %d/%d armed",
		 h->is_recorded ? "recording of " : "", h->pid, comm, h->runtime, h->level,
		 h->armed, h->wanted);
}

/* One line, whatever is in it: a line break would make a test of what follows. */
static void put_comment(FILE *out, const char *text)
{
	char clean[LINE_BYTES];

	if (!text || !text[0])
		return;
	fmt_clean(clean, sizeof(clean), text, sizeof(clean));
	fprintf(out, "# %s\n", clean);
}

static void begin(struct view *v, const struct model *m)
{
	const struct check_results *all = v->opts;
	char line[LINE_BYTES];

	(void)m;
	check_subject(line, sizeof(line), &v->head);
	fprintf(v->out, "TAP version 13\n1..%zu\n# %s\n", all->n, line);
	put_comment(v->out, v->head.why_not_higher);
	put_comment(v->out, v->head.note);
	fflush(v->out);
}

static void row(struct view *v, const struct model *m)
{
	(void)v;
	(void)m;
}

/* A quoted scalar of YAML is one of JSON, too. */
static void put_quoted(FILE *out, const char *key, const char *text)
{
	fprintf(out, "  %s: \"", key);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\x%02x", c);
		else
			fprintf(out, c == '"' || c == '\\' ? "\\%c" : "%c", c);
	}
	fputs("\"\n", out);
}

static void put_evidence(FILE *out, const struct check_result *r)
{
	char *all = check_evidence(r), *save = NULL;

	if (all && *all)
		fputs("  evidence: |\n", out);
	for (char *l = all ? strtok_r(all, "\n", &save) : NULL; l; l = strtok_r(NULL, "\n", &save))
		fprintf(out, "    %s\n", l);
	free(all);
}

/* '#' would begin a directive; none is in an expression, but blanks and tabs may be. */
static void put_check(FILE *out, size_t number, const struct check_result *r)
{
	fprintf(out, "%s %zu - ", r->answer == CHECK_HOLDS ? "ok" : "not ok", number);
	for (const char *c = r->text; *c; c++)
		if (*c != ' ' && *c != '\t')
			fputc(*c, out);
	fputs("\n  ---\n", out);
	fprintf(out, "  answer: %s\n", check_answer_word(r->answer));
	put_quoted(out, "expression", r->text);
	put_quoted(out, "message", r->why);
	put_evidence(out, r);
	fputs("  ...\n", out);
}

static void totals(struct view *v, const struct model *m, const struct view_end *e)
{
	const struct check_results *all = v->opts;
	char line[LINE_BYTES];

	(void)e;
	for (size_t i = 0; i < all->n; i++)
		put_check(v->out, i + 1, &all->row[i]);
	check_summary(line, sizeof(line), all);
	fprintf(v->out, "# %s; lost: %llu\n", line, (unsigned long long)model_lost(m, 0));
}

const struct format format_tap = {
	.begin = begin,
	.row = row,
	.totals = totals,
};
