/* SPDX-License-Identifier: MIT */
/* unix_peers.h - which Unix sockets are connected, from the kernel's socket diagnosis. */
#ifndef GOTRACE_UNIX_PEERS_H
#define GOTRACE_UNIX_PEERS_H

#include <stdint.h>
#include <sys/types.h>

/* One connected socket and its peer, by inode. */
typedef void (*unix_peer_fn)(void *arg, uint32_t inode, uint32_t peer);

/*
 * All of our own network namespace, if the process tid is in it. 0; -EXDEV: it is in another one;
 * -errno: the kernel has no such diagnosis.
 */
int unix_peers_read(pid_t tid, unix_peer_fn add, void *arg);

#endif
