/* SPDX-License-Identifier: MIT */
/*
 * check_junit.c - gotrace check as JUnit XML: a test case a check; a violation is a failure, what is
 * inconclusive an error, with the evidence as text. The document is written at the end, whole.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check_formats.h"

#define LINE_BYTES 1024
#define NS_PER_SEC 1000000000.0

/* Bytes of the UTF-8 character at s; 0: none, or one that XML 1.0 cannot hold, not even escaped. */
static int xml_character(const unsigned char *s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	int n = *s < 0x80 ? 1 : *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : 2;
	uint32_t c = n == 1 ? *s : *s & (0x7fu >> n);

	if ((*s >= 0x80 && *s < 0xc2) || *s > 0xf4)
		return 0;
	for (int i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
		return 0;
	return (c >= 0xd800 && c < 0xe000) || c == 0xfffe || c == 0xffff || c > 0x10ffff ? 0 : n;
}

static void put_xml(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s) {
		int n = xml_character(s);

		if (n == 0)
			fputs("\xef\xbf\xbd", out); /* U+FFFD */
		else if (*s == '<')
			fputs("&lt;", out);
		else if (*s == '>')
			fputs("&gt;", out);
		else if (*s == '&')
			fputs("&amp;", out);
		else if (*s == '"')
			fputs("&quot;", out);
		else
			fwrite(s, 1, (size_t)n, out);
		s += n ? n : 1;
	}
}

static void put_attribute(FILE *out, const char *name, const char *text)
{
	fprintf(out, " %s=\"", name);
	put_xml(out, text);
	fputc('"', out);
}

static void put_property(FILE *out, const char *name, const char *text)
{
	fputs("      <property", out);
	put_attribute(out, "name", name);
	put_attribute(out, "value", text);
	fputs("/>\n", out);
}

static void begin(struct view *v, const struct model *m)
{
	(void)v;
	(void)m;
}

static void row(struct view *v, const struct model *m)
{
	(void)v;
	(void)m;
}

static void put_counts(FILE *out, const struct check_results *all, double seconds)
{
	fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%.3f\"", all->n,
		check_count(all, CHECK_VIOLATED), check_count(all, CHECK_INCONCLUSIVE), seconds);
}

static void put_check(FILE *out, const struct check_result *r, double seconds)
{
	const char *element = r->answer == CHECK_VIOLATED ? "failure" : "error";
	char *evidence;

	fputs("    <testcase classname=\"gotrace.check\"", out);
	put_attribute(out, "name", r->text);
	if (r->answer == CHECK_VIOLATED)
		seconds = (double)r->after_ns / NS_PER_SEC;
	fprintf(out, " time=\"%.3f\"", seconds);
	if (r->answer == CHECK_HOLDS) {
		fputs("/>\n", out);
		return;
	}
	fprintf(out, ">\n      <%s type=\"%s\"", element, check_answer_word(r->answer));
	put_attribute(out, "message", r->why);
	fputc('>', out);
	evidence = check_evidence(r);
	if (evidence)
		put_xml(out, evidence);
	free(evidence);
	fprintf(out, "</%s>\n    </testcase>\n", element);
}

static void totals(struct view *v, const struct model *m, const struct view_end *e)
{
	const struct check_results *all = v->opts;
	double seconds = (double)e->observed_ns / NS_PER_SEC;
	char line[LINE_BYTES], lost[32];

	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites", v->out);
	put_counts(v->out, all, seconds);
	fputs(">\n  <testsuite name=\"gotrace check\"", v->out);
	put_counts(v->out, all, seconds);
	fputs(">\n    <properties>\n", v->out);
	check_subject(line, sizeof(line), &v->head);
	put_property(v->out, "target", line);
	if (v->head.why_not_higher && v->head.why_not_higher[0])
		put_property(v->out, "why_not_higher", v->head.why_not_higher);
	if (v->head.note)
		put_property(v->out, "note", v->head.note);
	put_property(v->out, "ended", view_why_word(e->why));
	snprintf(lost, sizeof(lost), "%" PRIu64, model_lost(m, 0));
	put_property(v->out, "lost", lost);
	fputs("    </properties>\n", v->out);
	for (size_t i = 0; i < all->n; i++)
		put_check(v->out, &all->row[i], seconds);
	fputs("  </testsuite>\n</testsuites>\n", v->out);
}

const struct format format_junit = {
	.begin = begin,
	.row = row,
	.totals = totals,
};
