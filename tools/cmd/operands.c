/* SPDX-License-Identifier: MIT */
/*
 * operands.c - what a watching verb was given: a process, a recording, or a command to start. Each
 * becomes a session (session.h); here is what comes before and after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../diag.h"
#include "output.h"
#include "session.h"
#include "start.h"

#define SEC_NS 1000000000ll
#define MAX_OVERHEAD_PPM 10000 /* 1 % */

static int usage(const struct verb *v, const char *why)
{
	diag_error(EXIT_USAGE, "%s: %s", v->name, why);
	diag_hint("gotrace %s PID, or gotrace %s -- COMMAND...", v->name, v->name);
	return EXIT_USAGE;
}

/* What it says goes where our errors go, if what we say must stand alone. */
static struct target *command_start(const struct verb *v, char **argv, struct started *ret,
				    int *ret_code)
{
	struct target *t;
	int ours = -1;

	if (v->is_document) {
		ours = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (ours < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
			*ret_code = diag_error(EXIT_SYSTEM, "cannot start %s: %s", argv[0],
					       strerror(errno));
			return NULL;
		}
	}
	t = start_command(argv, ret, ret_code);
	if (ours >= 0) {
		dup2(ours, STDOUT_FILENO);
		close(ours);
	}
	return t;
}

/* Whoever reads only our exit status shall not take it for the command's. */
static void tell_end(const char *command, int status)
{
	if (WIFSIGNALED(status))
		diag_warn("%s was killed by signal %d (%s)", command, WTERMSIG(status),
			  strsignal(WTERMSIG(status)));
	else if (WIFEXITED(status) && WEXITSTATUS(status))
		diag_warn("%s ended with exit status %d", command, WEXITSTATUS(status));
}

static int run_command(const struct verb *v, char **argv)
{
	struct started started;
	struct target *t;
	int code = EXIT_FINE, status;

	t = command_start(v, argv, &started, &code);
	if (!t)
		return code;
	code = session_study(v, t, &started);
	start_release(&started);
	if (!start_reap(&started, &status))
		diag_warn("%s goes on as pid %d", argv[0], started.pid);
	else if (!source_was_signalled())
		tell_end(argv[0], status);
	return code;
}

static int replay(const struct verb *v, const char *path)
{
	struct source *recording;
	int code = EXIT_FINE;

	if (session_opts.sample)
		return usage(v, "a recording is as it is: --sample is for processes");
	if (v->tap)
		return usage(v, "a recording is one already");
	recording = source_file_open(path, &code);
	return recording ? session_replay(v, recording) : code;
}

/* Digits are a pid; a file with such a name is ./4711. */
static bool is_file(const char *operand)
{
	if (!strcmp(operand, "-") || strchr(operand, '/'))
		return true;
	return operand[strspn(operand, "0123456789")] && access(operand, F_OK) == 0;
}

/* What the user left open is as the verb has it. */
static void defaults(const struct verb *v)
{
	struct session_opts *o = &session_opts;

	o->is_silent = v->is_document || (v->is_silent && o->interval_ns == 0);
	if (o->interval_ns == 0)
		o->interval_ns = v->interval_ns ? v->interval_ns : SEC_NS;
	if (o->once)
		o->rows = 1;
	if (o->max_overhead_ppm == SESSION_UNSET)
		o->max_overhead_ppm = v->max_overhead_ppm ? v->max_overhead_ppm : MAX_OVERHEAD_PPM;
}

static int run_pid(const struct verb *v, const char *operand)
{
	struct target *t;
	int code = EXIT_FINE, pid = opt_pid(operand);

	if (!pid)
		return EXIT_USAGE;
	if (!session_opts.for_ns && !session_opts.rows)
		session_opts.for_ns = v->for_ns;
	t = target_open(pid, &code);
	return t ? session_study(v, t, NULL) : code;
}

static int run_operands(const struct verb *v, int argc, char **argv)
{
	if (argc < 1)
		return usage(v, "which process?");
	if (!strcmp(argv[0], "--"))
		return argc > 1 ? run_command(v, argv + 1) : usage(v, "which command?");
	if (argc > 1)
		return usage(v, "one process at a time");
	return is_file(argv[0]) ? replay(v, argv[0]) : run_pid(v, argv[0]);
}

int session_main(const struct verb *v, int argc, char **argv)
{
	int code;

	diag_json(session_opts.json);
	defaults(v);
	source_signals_init();
	output_init();
	code = run_operands(v, argc, argv);
	output_end();
	return code;
}
