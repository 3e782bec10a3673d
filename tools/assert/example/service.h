/* SPDX-License-Identifier: MIT */
/* service.h - the service under test: it answers with what it is sent. */
#ifndef SERVICE_H
#define SERVICE_H

/* A goroutine for one client. connection points to the descriptor; it is closed in the end. */
void service_talk(void *connection);

#endif
