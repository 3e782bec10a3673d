/* SPDX-License-Identifier: MIT */
/*
 * Completion of gotrace's words in real shells: bash through the function that it would call, zsh on a
 * terminal with Tab pressed. What they offer must be what gotrace takes.
 */
#include "shell.h"

#define WORDS_MAX 16

static char *run_path(const char *file)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/tests/e2e/%s", getenv("GOTRACE_TREE"), file);
	return path;
}

/* The candidates for the last of these words, a line each; nothing else may be said. */
static void bash_offers(struct outcome *ret, const char *const words[])
{
	char *argv[WORDS_MAX + 3] = { "bash", run_path("completion.bash") };

	for (int i = 0; words[i]; i++)
		argv[i + 2] = (char *)words[i];
	shell_run(ret, argv);
	assert_code(ret, 0);
	assert_string_equal(ret->err, "");
}

#define assert_bash(want, ...)                                                \
	do {                                                                  \
		const char *const words[] = { "gotrace", __VA_ARGS__, NULL }; \
		struct outcome got;                                           \
                                                                              \
		bash_offers(&got, words);                                     \
		assert_string_equal(got.out, want);                           \
	} while (0)

static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *at = text; at; at = strchr(at, '\n'), at += !!at)
		if (!strncmp(at, line, n) && (at[n] == '\n' || at[n] == 0))
			return true;
	return false;
}

static void given_the_script_for_bash_when_it_is_checked_then_its_syntax_is_right(void **state)
{
	char *argv[] = { "bash", "-c", "\"$GOTRACE\" completion bash | bash -n", NULL };
	struct outcome o;

	(void)state;
	shell_run(&o, argv);
	assert_code(&o, 0);
	assert_string_equal(o.err, "");
}

static void given_the_start_of_a_verb_when_completed_then_bash_offers_that_verb(void **state)
{
	(void)state;
	assert_bash("threads\n", "th");
	assert_bash("handoff\n", "h");
	assert_bash("\n", "xyz");
}

static void given_nothing_yet_when_completed_then_bash_offers_each_verb_of_the_help(void **state)
{
	char *argv[] = { "gotrace", "--help", NULL }, verb[32];
	const char *const nothing[] = { "gotrace", "", NULL };
	struct outcome help, o;
	const char *at = help.out;
	int verbs = 0;

	(void)state;
	gotrace_run(&help, NULL, -1, argv);
	bash_offers(&o, nothing);
	for (; usage_verb_next(&at, verb); verbs++)
		if (!has_line(o.out, verb))
			fail_msg("%s is not offered:\n%s", verb, o.out);
	assert_true(verbs >= 10);
}

static void given_the_start_of_an_option_when_completed_then_bash_offers_it(void **state)
{
	(void)state;
	assert_bash("--max-overhead\n", "netpoll", "--max");
	assert_bash("--by-stack\n--by-call\n", "blocked", "4711", "--by");
	assert_bash("--pprof\n", "growth", "-i", "1s", "--p");
	assert_bash("\n", "doctor", "--i");
}

static void given_an_option_with_a_value_when_completed_then_bash_offers_values(void **state)
{
	const char *tree = getenv("GOTRACE_TREE");

	(void)state;
	assert_int_equal(chdir(tree), 0);
	assert_bash("LICENSE\n", "record", "-o", "LICEN");
	assert_bash("LICENSE\n", "growth", "--pprof", "=", "LICEN");
	assert_bash("\n", "threads", "--for", "");
	assert_bash("\n", "threads", "--for", "=");
	assert_bash("zsh\n", "completion", "z");
	assert_bash("netpoll\n", "schema", "n");
}

static void given_a_command_to_start_when_completed_then_bash_offers_commands(void **state)
{
	const char *const command[] = { "gotrace", "threads", "--", "objdum", NULL };
	struct outcome o;

	(void)state;
	assert_int_equal(chdir(getenv("GOTRACE_TREE")), 0);
	bash_offers(&o, command);
	assert_true(has_line(o.out, "objdump"));
	assert_bash("LICENSE\n", "threads", "--", "objdump", "LICEN");
	assert_bash("\n", "doctor", "--", "objdum");
}

static void given_a_process_with_libgrt_when_completed_then_its_pid_is_offered(void **state)
{
	struct program p = sleeper_start(NULL, NULL);
	const char *const words[] = { "gotrace", "blocked", "", NULL };
	const char *const second[] = { "gotrace", "blocked", "4711", "", NULL };
	char pid[16], own[16];
	struct outcome o;

	(void)state;
	snprintf(pid, sizeof(pid), "%d", p.pid);
	snprintf(own, sizeof(own), "%d", getpid());
	bash_offers(&o, words);
	assert_true(has_line(o.out, pid));
	assert_false(has_line(o.out, own));
	bash_offers(&o, second);
	assert_false(has_line(o.out, pid));
	gotrace_on(&o, NULL, "completion", "pids");
	assert_code(&o, 0);
	assert_string_equal(o.err, "");
	assert_true(has_line(o.out, pid));
	program_stop(&p);
}

/* The folder of the gotrace under test comes first in PATH. */
static void zsh_env(const char *how)
{
	char path[8192], *end;

	snprintf(path, sizeof(path), "%s", getenv("GOTRACE"));
	end = strrchr(path, '/');
	assert_non_null(end);
	snprintf(end, sizeof(path) - (size_t)(end - path), ":%s", getenv("PATH"));
	setenv("PATH", path, 1);
	setenv("FPATH_EVAL", how, 1);
}

static void given_zsh_when_tab_is_pressed_then_words_are_completed(void **state)
{
	char *argv[] = { "zsh",
			 "-f",
			 run_path("completion.zsh"),
			 "gotrace thr",
			 "gotrace netpoll --max",
			 "gotrace schema han",
			 "gotrace record -o LICEN",
			 "gotrace growth --pprof=LICEN",
			 "gotrace blocked -i 1s LICEN",
			 "gotrace threads -- objdum",
			 "gotrace threads -- gotrace sche",
			 "gotrace completion z",
			 NULL };
	struct outcome o;

	(void)state;
	assert_int_equal(chdir(getenv("GOTRACE_TREE")), 0);
	zsh_env("eval");
	shell_run(&o, argv);
	assert_code(&o, 0);
	assert_string_equal(o.err, "");
	assert_string_equal(o.out, "<gotrace threads >\n"
				   "<gotrace netpoll --max-overhead=>\n"
				   "<gotrace schema handoff >\n"
				   "<gotrace record -o LICENSE >\n"
				   "<gotrace growth --pprof=LICENSE >\n"
				   "<gotrace blocked -i 1s LICENSE >\n"
				   "<gotrace threads -- objdump >\n"
				   "<gotrace threads -- gotrace schema >\n"
				   "<gotrace completion zsh >\n");
}

static void given_the_script_in_fpath_when_tab_is_pressed_then_zsh_loads_it(void **state)
{
	char dir[] = "/tmp/zsh-XXXXXX", command[4200];
	char *argv[] = {
		"zsh", "-f", run_path("completion.zsh"), "gotrace thr", "gotrace blocked --by-c",
		NULL
	};
	struct outcome o;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(command, sizeof(command), "\"$GOTRACE\" completion zsh >%s/_gotrace", dir);
	assert_int_equal(system(command), 0);
	zsh_env(dir);
	shell_run(&o, argv);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
	assert_code(&o, 0);
	assert_string_equal(o.out, "<gotrace threads >\n<gotrace blocked --by-call >\n");
}

static void given_another_shell_when_asked_for_then_it_is_an_error(void **state)
{
	struct outcome o;

	(void)state;
	gotrace_on(&o, NULL, "completion", "fish");
	assert_code(&o, 2);
	assert_says(o.err, "want bash, zsh or pids");
	assert_string_equal(o.out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_the_script_for_bash_when_it_is_checked_then_its_syntax_is_right),
		cmocka_unit_test(
			given_the_start_of_a_verb_when_completed_then_bash_offers_that_verb),
		cmocka_unit_test(
			given_nothing_yet_when_completed_then_bash_offers_each_verb_of_the_help),
		cmocka_unit_test(given_the_start_of_an_option_when_completed_then_bash_offers_it),
		cmocka_unit_test(
			given_an_option_with_a_value_when_completed_then_bash_offers_values),
		cmocka_unit_test(given_a_command_to_start_when_completed_then_bash_offers_commands),
		cmocka_unit_test(
			given_a_process_with_libgrt_when_completed_then_its_pid_is_offered),
		cmocka_unit_test(given_zsh_when_tab_is_pressed_then_words_are_completed),
		cmocka_unit_test(given_the_script_in_fpath_when_tab_is_pressed_then_zsh_loads_it),
		cmocka_unit_test(given_another_shell_when_asked_for_then_it_is_an_error),
	};

	e2e_init();
	if (!getenv("GOTRACE_TREE"))
		e2e_skip("GOTRACE_TREE is not set");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
