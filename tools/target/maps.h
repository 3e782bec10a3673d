/* SPDX-License-Identifier: MIT */
/*
 * maps.h - what is mapped executable in a process, and the file behind each such mapping, opened
 * when it is first asked for: unwind tables, symbols and lines by libdwfl, addresses as in the
 * process.
 *
 * A map lives until the next look-up or refresh: nobody keeps a pointer to it. Whoever keeps what
 * a map said asks maps_losses whether some are no more since then: another file may be mapped in
 * their place.
 */
#ifndef GOTRACE_MAPS_H
#define GOTRACE_MAPS_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct map {
	uint64_t start, end, off, inode;
	const char *name;    /* last part of its path, control characters replaced */
	bool is_system;      /* the C library, the loader, libgrt as a library: nobody's own code */
	bool is_file;        /* false: memory of the process, [vdso] */
	bool is_kept;        /* while maps are read again */
	bool is_tried;       /* the file was opened, or could not be */
	Dwfl *dwfl;          /* NULL: no file, or not an ELF file */
	Dwfl_Module *module; /* the only one in it */
};

struct maps;

/* tid: any thread whose /proc entries show the process. NULL: no memory. */
struct maps *maps_new(pid_t tid);
void maps_free(struct maps *m);
/*
 * What is mapped may have changed. A look-up that finds nothing may read /proc again, once until
 * the next call.
 */
void maps_refresh(struct maps *m);
/* How many maps are no more, ever. */
uint32_t maps_losses(const struct maps *m);
/* NULL: nothing executable is mapped there. */
struct map *maps_find(struct maps *m, uint64_t addr);
/* The same with its file opened; module is NULL where that was not possible. */
struct map *maps_open(struct maps *m, uint64_t addr);

#endif
