/* SPDX-License-Identifier: MIT */
/*
 * The manual pages say what gotrace does: a page for each verb, the options that --help shows and no
 * others, the exit codes of the usage text, each column of the screens, references that lead somewhere.
 * Pages are read as they are written (mdoc).
 */
#include "man.h"

#define OPTIONS_MAX 64
#define CODES 7
#define WORD_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char *const sections[] = { "NAME",        "SYNOPSIS", "DESCRIPTION",
					"OPTIONS",     "FIELDS",   "OVERHEAD",
					"EXIT STATUS", "EXAMPLES", "SEE ALSO" };

/* As --help shows them: "-i, --interval TIME". */
struct options {
	char text[OPTIONS_MAX][80];
	int n;
};

/* A flag's name is followed by blanks, a value's by one blank and what the value is. */
static void help_options(char *help, struct options *ret)
{
	char *save = NULL;

	ret->n = 0;
	for (char *line = strtok_r(help, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char brief[4] = "", name[32], arg[32] = "";

		if (sscanf(line, "  %3[-a-zA-Z,] --%31[-a-z]%*1[ ]%31[^ ]", brief, name, arg) < 2 &&
		    sscanf(line, "      --%31[-a-z]%*1[ ]%31[^ ]", name, arg) < 1)
			continue;
		assert_true(ret->n < OPTIONS_MAX);
		if (brief[0] == '-' && brief[2] != ',')
			brief[0] = 0;
		snprintf(ret->text[ret->n++], sizeof(ret->text[0]), "%s%s--%s%s%s", brief,
			 *brief ? " " : "", name, *arg ? " " : "", arg);
	}
}

/* ".It Fl i , -interval Ar TIME", and also ".It Fl -json". */
static void page_options(char *section, struct options *ret)
{
	char *save = NULL;

	ret->n = 0;
	for (char *line = strtok_r(section, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *word, *in = NULL, *text;

		if (strncmp(line, ".It Fl ", 7))
			continue;
		assert_true(ret->n < OPTIONS_MAX);
		text = ret->text[ret->n++];
		*text = 0;
		for (word = strtok_r(line + 7, " ", &in); word; word = strtok_r(NULL, " ", &in)) {
			if (!strcmp(word, ",")) {
				strcat(text, ", ");
			} else if (!strcmp(word, "Ar")) {
				strcat(text, " ");
			} else {
				bool is_name = !*text || text[strlen(text) - 2] == ',';

				strcat(strcat(text, is_name ? "-" : ""), word);
			}
		}
	}
}

static bool has_option(const struct options *all, const char *text)
{
	for (int i = 0; i < all->n; i++)
		if (!strcmp(all->text[i], text))
			return true;
	return false;
}

static void assert_same_options(const char *verb, const struct options *page,
				const struct options *help)
{
	for (int i = 0; i < help->n; i++)
		if (!has_option(page, help->text[i]))
			fail_msg("gotrace-%s.1 has no '%s'", verb, help->text[i]);
	for (int i = 0; i < page->n; i++)
		if (!has_option(help, page->text[i]))
			fail_msg("gotrace %s --help has no '%s'", verb, page->text[i]);
	assert_int_equal(page->n, help->n);
}

/* For each verb of the usage text. */
static void verbs_each(void (*check)(const char *verb))
{
	struct outcome help;
	const char *at = help.out;
	char verb[32];
	int n = 0;

	help_of("", &help);
	for (; usage_verb_next(&at, verb); n++)
		check(verb);
	assert_true(n >= 10);
}

static void sections_check(const char *verb)
{
	const char *page = page_read(verb), *at = page;
	char head[64];

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		snprintf(head, sizeof(head), "\n.Sh %s\n", sections[i]);
		at = strstr(at, head);
		if (!at)
			fail_msg("gotrace-%s.1: no %s in its place", verb, sections[i]);
	}
	snprintf(head, sizeof(head), "\n.Sh NAME\n.Nm gotrace-%s\n.Nd ", verb);
	assert_says(page, head);
	snprintf(head, sizeof(head), "\n.It Xr gotrace-%s 1\n", verb);
	assert_says(page_read(""), head);
}

static void given_the_verbs_when_looked_for_then_each_has_a_page_with_all_sections(void **state)
{
	(void)state;
	verbs_each(sections_check);
}

static void options_check(const char *verb)
{
	static char section[PAGE_BYTES];
	struct options page, help;
	struct outcome o;

	help_of(verb, &o);
	help_options(o.out, &help);
	section_of(page_read(verb), "OPTIONS", section);
	page_options(section, &page);
	assert_same_options(verb, &page, &help);
}

static void given_a_page_when_compared_with_the_help_then_options_are_the_same(void **state)
{
	(void)state;
	verbs_each(options_check);
}

/* Is it, as "i" or "-interval", the name of one of these? */
static bool has_name(const struct options *all, const char *name)
{
	for (int i = 0; i < all->n; i++) {
		const char *full = strstr(all->text[i], "--");
		size_t n = strlen(name);

		if (name[1] == 0 && all->text[i][1] == name[0])
			return true;
		if (full && name[0] == '-' && !strncmp(full + 1, name, n) &&
		    (full[1 + n] == 0 || full[1 + n] == ' '))
			return true;
	}
	return false;
}

static void synopsis_check(const char *verb)
{
	static char section[PAGE_BYTES];
	struct options help;
	struct outcome o;
	char *save = NULL, *word;
	bool is_flag = false;
	int named = 0;

	help_of(verb, &o);
	section_of(page_read(verb), "SYNOPSIS", section);
	for (const char *const *operand = (const char *[]){ "PID", "FILE", "COMMAND", NULL };
	     *operand; operand++) {
		char *usage_end = strchr(o.out, '\n');

		*usage_end = 0;
		if (strstr(o.out, *operand))
			assert_says(section, *operand);
		*usage_end = '\n';
	}
	help_options(o.out, &help);
	for (word = strtok_r(section, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		if (is_flag && strcmp(word, "-")) {
			named++;
			if (!has_name(&help, word))
				fail_msg("gotrace-%s.1: SYNOPSIS has -%s", verb, word);
		}
		is_flag = !strcmp(word, "Fl") || !strcmp(word, ".Fl");
	}
	if (named != help.n)
		fail_msg("gotrace-%s.1: SYNOPSIS has %d options of %d", verb, named, help.n);
}

static void given_a_synopsis_when_compared_with_the_help_then_it_has_each_option_once(void **state)
{
	(void)state;
	verbs_each(synopsis_check);
}

/* "0 fine, 1 a check failed, ..." of the usage text, by code. */
static void codes_read(char ret[CODES][64])
{
	struct outcome help;
	char *at;

	help_of("", &help);
	at = strstr(help.out, "exit status: ");
	assert_non_null(at);
	for (char *c = at; *c; c++)
		*c = *c == '\n' ? ' ' : *c;
	at += strlen("exit status: ");
	for (int i = 0; i < CODES; i++) {
		int code = -1, n = 0;

		if (sscanf(at, "%d %63[^,]%n", &code, ret[i], &n) != 2 || code != i)
			fail_msg("no code %d in the usage text: %s", i, at);
		ret[i][strcspn(ret[i], "\n")] = 0;
		for (char *end = ret[i] + strlen(ret[i]); end > ret[i] && end[-1] == ' ';)
			*--end = 0;
		at += n;
		at += strspn(at, ", ");
	}
}

/* "2 usage" in one line, whether a sentence or a list says it. */
static void codes_flat(const char *page, char ret[PAGE_BYTES])
{
	char *to = ret;

	section_of(page, "EXIT STATUS", ret);
	for (const char *from = ret; *from; from++) {
		if (!strncmp(from, ".It ", 4)) {
			from += 3;
			*to++ = ',';
			*to++ = ' ';
			continue;
		}
		*to++ = *from == '\n' ? ' ' : *from;
	}
	*to = 0;
}

/* Codes that a page speaks of mean the same everywhere. Returns them as a bitmap. */
static unsigned codes_check(const char *name, const char *page)
{
	static char flat[PAGE_BYTES];
	char code[CODES][64];
	unsigned found = 0;

	codes_read(code);
	codes_flat(page, flat);
	for (const char *c = flat; *c; c++) {
		bool is_start = c == flat || !strncmp(c - 2, ", ", 2);

		if (!is_start || *c < '0' || *c > '9' || c[1] != ' ')
			continue;
		assert_in_range(*c - '0', 0, CODES - 1);
		if (strncmp(c + 2, code[*c - '0'], strlen(code[*c - '0'])))
			fail_msg("gotrace %s, its page: not '%s': %.40s", name, code[*c - '0'], c);
		found |= 1u << (*c - '0');
	}
	return found;
}

static void exit_check(const char *verb)
{
	unsigned need = 1u << 0 | 1u << 2, found = codes_check(verb, page_read(verb));
	struct outcome o;

	help_of(verb, &o);
	if (strstr(o.out, "PID"))
		need |= 1u << 4 | 1u << 5 | 1u << 6;
	if (strstr(o.out, "COMMAND"))
		need |= 1u << 3;
	if ((found & need) != need)
		fail_msg("gotrace-%s.1: codes %x, need %x", verb, found, need);
}

static void given_a_page_when_compared_with_the_usage_then_exit_codes_are_the_same(void **state)
{
	(void)state;
	verbs_each(exit_check);
	assert_int_equal(codes_check("", page_read("")), (1u << CODES) - 1);
}

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
		if (!strchr(WORD_CHARS, at == text ? ' ' : at[-1]) &&
		    (!at[n] || !strchr(WORD_CHARS, at[n])))
			return true;
	return false;
}

/* "---- waiting ----": names of groups of columns. A row of nothing but "-" is none. */
static bool has_groups(const char *line)
{
	size_t n = strspn(line, " -");

	return memchr(line, '-', n) && line[n] && !strpbrk(line, "0123456789");
}

/* Names of columns stand below those of groups, or are words in capitals: "FD TO". */
static bool has_columns(const char *line, bool is_below)
{
	const char *at = line + strspn(line, " ");
	size_t capitals = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return is_below || (capitals && at[capitals] == ' ');
}

/* Each word above a column of a golden screen is explained. */
static void heads_check(const char *verb, const char *golden, const char *fields)
{
	static char screen[PAGE_BYTES];
	char *save = NULL, *in, *word;
	bool is_below = false;
	int headings = 0;

	snprintf(screen, sizeof(screen), "%s", text_read(golden));
	for (char *line = strtok_r(screen, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		bool is_group = !is_below && has_groups(line);

		if (!is_group && !has_columns(line, is_below))
			continue;
		headings++;
		for (word = strtok_r(line, " -:", &in); word; word = strtok_r(NULL, " -:", &in))
			if (!has_word(fields, word))
				fail_msg("gotrace-%s.1: FIELDS lacks '%s' of %s", verb, word,
					 golden);
		is_below = is_group;
	}
	assert_true(headings > 0);
}

static void given_a_screen_when_compared_with_its_page_then_each_column_is_explained(void **state)
{
	static const char *const screens[][2] = {
		{ "threads", "threads_80.txt" },       { "threads", "by_m_80.txt" },
		{ "blocked", "blocked_80.txt" },       { "blocked", "blocked_by_call.txt" },
		{ "blocked", "blocked_by_stack.txt" }, { "growth", "growth_80.txt" },
		{ "handoff", "handoff_80.txt" },       { "netpoll", "netpoll_80.txt" },
	};
	static char fields[PAGE_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(screens) / sizeof(screens[0]); i++) {
		char golden[64];

		section_of(page_read(screens[i][0]), "FIELDS", fields);
		snprintf(golden, sizeof(golden), "tests/golden/%s", screens[i][1]);
		heads_check(screens[i][0], golden, fields);
	}
}

static void lint_check(const char *file)
{
	char path[8192];
	char *argv[] = { "mandoc", "-Tlint", "-W", "warning", path, NULL };
	struct outcome o;

	snprintf(path, sizeof(path), "%s/%s", tree_path("tools/man"), file);
	shell_run(&o, argv);
	if (o.code == 127)
		e2e_skip("mandoc is not installed");
	if (o.code != 0 || *o.out)
		fail_msg("%s", o.out);
}

static void given_the_pages_when_mandoc_reads_them_then_it_warns_of_nothing(void **state)
{
	(void)state;
	pages_each(lint_check);
}

/* A page of ours that is referred to is there, and a page of a verb that is not there is none. */
static void refs_check(const char *file)
{
	char own[300];
	const char *at;

	snprintf(own, sizeof(own), "tools/man/%s", file);
	for (at = strstr(text_read(own), "\n.Xr gotrace"); at; at = strstr(at, "\n.Xr gotrace")) {
		char name[64], path[128];
		int section;

		at += 5;
		assert_int_equal(sscanf(at, "%63s %d", name, &section), 2);
		snprintf(path, sizeof(path), "tools/man/%s.%d", name, section);
		if (access(tree_path(path), F_OK))
			fail_msg("%s refers to %s(%d)", file, name, section);
	}
	if (sscanf(file, "gotrace-%299[a-z].1", own) == 1 && strstr(file, ".1")) {
		struct outcome o;

		help_of(own, &o);
	}
}

static void given_a_reference_to_a_page_of_ours_when_followed_then_it_is_there(void **state)
{
	(void)state;
	pages_each(refs_check);
}

/* "of the target's CPU time (3%)" of --help stands in the page, too. */
static void overhead_check(const char *verb)
{
	static char options[PAGE_BYTES];
	struct outcome help;
	const char *at;
	char want[16];

	help_of(verb, &help);
	at = strstr(help.out, "--max-overhead");
	if (!at)
		return;
	assert_int_equal(
		sscanf(at, "--max-overhead SHARE of the target's CPU time %15[(0-9%)]", want), 1);
	section_of(page_read(verb), "OPTIONS", options);
	if (!strstr(options, want))
		fail_msg("gotrace-%s.1 does not say %s of --max-overhead", verb, want);
}

static void given_a_default_of_the_overhead_when_compared_with_the_page_then_it_is_the_same(
	void **state)
{
	(void)state;
	verbs_each(overhead_check);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_the_verbs_when_looked_for_then_each_has_a_page_with_all_sections),
		cmocka_unit_test(
			given_a_page_when_compared_with_the_help_then_options_are_the_same),
		cmocka_unit_test(
			given_a_default_of_the_overhead_when_compared_with_the_page_then_it_is_the_same),
		cmocka_unit_test(
			given_a_synopsis_when_compared_with_the_help_then_it_has_each_option_once),
		cmocka_unit_test(
			given_a_page_when_compared_with_the_usage_then_exit_codes_are_the_same),
		cmocka_unit_test(
			given_a_screen_when_compared_with_its_page_then_each_column_is_explained),
		cmocka_unit_test(given_the_pages_when_mandoc_reads_them_then_it_warns_of_nothing),
		cmocka_unit_test(
			given_a_reference_to_a_page_of_ours_when_followed_then_it_is_there),
	};

	e2e_init();
	if (!getenv("GOTRACE_TREE"))
		e2e_skip("GOTRACE_TREE is not set");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
