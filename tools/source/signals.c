/* SPDX-License-Identifier: MIT */
/* signals.c - Ctrl-C, SIGTERM and a closed pipe end a wait; the rest takes its normal way out. */
#include <signal.h>
#include <string.h>

#include "source.h"

static volatile sig_atomic_t was_signalled;

static void on_signal(int nr)
{
	was_signalled = nr;
}

void source_signals_init(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	/* A write to a closed pipe then fails with EPIPE, which the writer sees. */
	signal(SIGPIPE, SIG_IGN);
}

bool source_was_signalled(void)
{
	return was_signalled != 0;
}
