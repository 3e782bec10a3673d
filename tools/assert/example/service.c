/* SPDX-License-Identifier: MIT */
/* service.c - see service.h. Who waits for a client shall wait in the netpoller, not in a thread. */
#include "service.h"

#include <grt/grt.h>

void service_talk(void *connection)
{
	int fd = *(int *)connection;
	char said[512];
	ssize_t n;

	grt_fd_pollable(fd);
	while ((n = grt_read(fd, said, sizeof(said))) > 0)
		if (grt_write(fd, said, (size_t)n) < 0)
			break;
	grt_close(fd);
}
