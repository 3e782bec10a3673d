/* SPDX-License-Identifier: MIT */
/*
 * sleeper.c - a libgrt program that is there and does nothing: says "ready" from its main goroutine
 * and sleeps until it is killed.
 *
 *   sleeper            runs the runtime on the main thread
 *   sleeper --thread   runs it on another thread, and the main thread exits
 *
 * SIGUSR1 makes it exec itself, SIGUSR2 another program; SIGHUP makes it fork a child that sleeps for a
 * minute, and say "forked".
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <grt/grt.h>

#define NAP_NS 1000000000ll
#define CHILD_S 60

static int main_fn(void *arg)
{
	(void)arg;
	puts("ready");
	fflush(stdout);
	for (;;)
		grt_sleep(NAP_NS);
	return 0;
}

static void on_exec(int sig)
{
	if (sig == SIGUSR1)
		execl("/proc/self/exe", "sleeper", NULL);
	else
		execl("/bin/sleep", "sleep", "1000", NULL);
	_exit(1);
}

static void on_fork(int sig)
{
	static const char said[] = "forked\n";

	(void)sig;
	if (fork() == 0) {
		alarm(CHILD_S);
		for (;;)
			pause();
	}
	if (write(STDOUT_FILENO, said, sizeof(said) - 1) < 0)
		_exit(1);
}

static void *run(void *arg)
{
	grt_run(main_fn, arg);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	sigset_t none;

	/* The signal that made us exec is still blocked after it. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGUSR1, on_exec);
	signal(SIGUSR2, on_exec);
	signal(SIGHUP, on_fork);
	if (argc < 2 || strcmp(argv[1], "--thread"))
		return grt_run(main_fn, NULL);
	if (pthread_create(&thread, NULL, run, NULL))
		return 1;
	pthread_exit(NULL);
}
