/* SPDX-License-Identifier: MIT */
/*
 * blocked.c - gotrace blocked: which calls hold threads, on what, since when, called from where.
 *
 *	97 blocked: 96 in read(/dev/urandom) ← worker_read files.c:41, 1 in ...
 *	 M    TID   G    FOR  CALL
 *	12  48121  17  >4.1s  read(7</dev/urandom>, 65536) ← worker_read files.c:41
 *
 * One look and out, which needs no probe and costs the target nothing; --watch looks again and
 * again. One look at a recording is the last one: its calls have lasted longest, and of a process
 * that has ended it is how it ended.
 */
#include <limits.h>
#include <string.h>

#include "../diag.h"
#include "../syscalls.h"
#include "../view/blocked.h"
#include "session.h"

#define NO_FD ULONG_MAX

static bool by_stack, by_call, watch;
static int64_t min_ns;
static const char *call;
static unsigned long fd = NO_FD;

static int opts_read(struct blocked_opts *ret)
{
	*ret = (struct blocked_opts){
		.by_stack = by_stack,
		.by_call = by_call,
		.min_ns = (uint64_t)min_ns,
		.nr = BLOCKED_ANY_NR,
		.fd = BLOCKED_ANY_FD,
	};
	if (by_stack && by_call)
		return diag_error(EXIT_USAGE, "--by-stack, --by-call: one of them");
	if (fd != NO_FD && fd > INT_MAX)
		return diag_error(EXIT_USAGE, "--fd '%lu': too large for a descriptor", fd);
	if (fd != NO_FD)
		ret->fd = (int)fd;
	if (!call)
		return EXIT_FINE;
	ret->nr = strcmp(call, "foreign") ? syscall_nr(call) : GRT_NR_FOREIGN;
	if (ret->nr == -1 && strcmp(call, "foreign")) {
		diag_error(EXIT_USAGE, "--call '%s': no such system call", call);
		diag_hint("a name as in strace, such as read or epoll_wait; or foreign");
		return EXIT_USAGE;
	}
	return EXIT_FINE;
}

static int run(int argc, char **argv)
{
	struct blocked_opts o;
	struct verb verb = {
		.name = "blocked",
		.report = &report_blocked,
		.report_opts = &o,
		.want = { .want_names = true, .want_stacks = true },
	};
	int code = opts_read(&o);

	if (code != EXIT_FINE)
		return code;
	/*
	 * Whoever says how often or how long wants more than one look. Since when a thread sleeps is known
	 * from its row, at the look; nothing need watch it fall asleep.
	 */
	if (watch || session_opts.for_ns || session_opts.rows > 1) {
		verb.want.kinds = COLD_KINDS;
	} else {
		session_opts.rows = 1;
		verb.is_last_row = true;
	}
	return session_main(&verb, argc, argv);
}

static const struct opt opts[] = {
	{ "by-stack", 0, OPT_FLAG, NULL, "a row for each place in the program", &by_stack },
	{ "by-call", 0, OPT_FLAG, NULL, "a row for each call and what it is made on", &by_call },
	{ "min", 0, OPT_DURATION, "TIME", "only those blocked for so long", &min_ns },
	{ "call", 0, OPT_TEXT, "NAME", "only this system call, or foreign", &call },
	{ "fd", 0, OPT_UINT, "FD", "only calls on this descriptor", &fd },
	{ "watch", 'w', OPT_FLAG, NULL, "look again, each -i TIME; and tell who got the P",
	  &watch },
	SESSION_OPTS,
	{ NULL, 0, OPT_FLAG, NULL, NULL, NULL },
};

const struct cmd cmd_blocked = {
	.name = "blocked",
	.args = SESSION_ARGS,
	.help = "which calls hold threads, on what, since when, from where",
	.opts = opts,
	.takes_command = true,
	.run = run,
};
