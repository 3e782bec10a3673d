/* SPDX-License-Identifier: MIT */
/*
 * maps.h - what is mapped executable in a process, and the file behind each such mapping, opened
 * when it is first asked for: unwind tables, symbols and lines by libdwfl, addresses as in the
 * process.
 *
 * A map lives as long as its owner; pointers to it stay good until maps_free. What was unmapped
 * stays known: an address of it is nobody's until something else is mapped there and maps_refresh
 * has seen it.
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
	bool is_tried;       /* the file was opened, or could not be */
	Dwfl *dwfl;          /* NULL: no file, or not an ELF file */
	Dwfl_Module *module; /* the only one in it */
};

struct maps;

/* tid: any thread whose /proc entries show the process. NULL: no memory. */
struct maps *maps_new(pid_t tid);
void maps_free(struct maps *m);
/* A look-up that finds nothing may read /proc again, once until the next call. */
void maps_refresh(struct maps *m);
/* NULL: nothing executable is mapped there. */
struct map *maps_find(struct maps *m, uint64_t addr);
/* The same with its file opened; module is NULL where that was not possible. */
struct map *maps_open(struct maps *m, uint64_t addr);

#endif
