/* SPDX-License-Identifier: MIT */
/*
 * service.c - see service.h. With -DPINS it is the service as it was before the test: a read of a pipe
 * that is in blocking mode keeps a thread for each client.
 */
#include "service.h"

#include <grt/grt.h>

static void serve(void *arg)
{
	struct service *s = arg;
	char buf[4096];
	ssize_t n;

	while ((n = grt_read(s->log, buf, sizeof(buf))) > 0)
		if (grt_write(s->client, buf, (size_t)n) < 0)
			break;
	grt_close(s->client);
}

int service_start(struct service *s)
{
	int rc = 0;

#ifndef PINS
	rc = grt_fd_pollable(s->log);
#endif
	return rc < 0 ? rc : grt_go(serve, s);
}
