/* SPDX-License-Identifier: MIT */
/* `make install` puts manual pages and completion where others look for them, and uninstall leaves nothing. */
#include "man.h"

static char installed_dir[4096];

static void installed_check(const char *file)
{
	char path[8192];

	snprintf(path, sizeof(path), "%s/usr/local/share/man/man%s/%s", installed_dir,
		 strrchr(file, '.') + 1, file);
	if (access(path, R_OK))
		fail_msg("not installed: %s", path);
}

static void make_run(const char *what)
{
	char build[4096], o[4200], dest[4200];
	char *argv[] = { "make", "-C", tree_path("."), o, dest, "-o", "all", (char *)what, NULL };
	struct outcome ret;

	snprintf(build, sizeof(build), "%s", getenv("GOTRACE"));
	*strrchr(build, '/') = 0;
	snprintf(o, sizeof(o), "O=%s", build);
	snprintf(dest, sizeof(dest), "DESTDIR=%s", installed_dir);
	shell_run(&ret, argv);
	assert_code(&ret, 0);
}

/* What was built is installed as it is: nothing is made anew here. */
static void given_a_build_when_installed_then_pages_and_completion_are_there_and_go(void **state)
{
	char *left[] = { "find", installed_dir, "!", "-type", "d", NULL };
	char *rm[] = { "rm", "-r", installed_dir, NULL };
	static const char *const completion[] = { "bash-completion/completions/gotrace",
						  "zsh/site-functions/_gotrace" };
	struct outcome o;
	struct stat st;

	(void)state;
	strcpy(installed_dir, "/tmp/gotrace-install-XXXXXX");
	assert_non_null(mkdtemp(installed_dir));
	make_run("install");
	pages_each(installed_check);
	for (int i = 0; i < 2; i++) {
		char path[8192];

		snprintf(path, sizeof(path), "%s/usr/local/share/%s", installed_dir, completion[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_true(st.st_size > 1000);
	}
	make_run("uninstall");
	shell_run(&o, left);
	assert_string_equal(o.out, "");
	shell_run(&o, rm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_a_build_when_installed_then_pages_and_completion_are_there_and_go),
	};

	e2e_init();
	if (!getenv("GOTRACE_TREE"))
		e2e_skip("GOTRACE_TREE is not set");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
