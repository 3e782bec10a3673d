/* SPDX-License-Identifier: MIT */
/* forked.c - see forked.h. */
#include "forked.h"

#include "fatal.h"

u32 forked_is_child;

static void in_child(void)
{
	m_self_tls = NULL;
	__atomic_store_n(&sched.is_running, 0, __ATOMIC_RELEASE);
	forked_is_child = 1;
}

void forked_init(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

void forked_die(void)
{
	fatal_("grt_ call in the child of a fork: only exec or _exit may follow there");
}
