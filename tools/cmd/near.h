/* SPDX-License-Identifier: MIT */
/* near.h - which word somebody may have meant. Pure; for the files of this room, and for usage. */
#ifndef GOTRACE_NEAR_H
#define GOTRACE_NEAR_H

#define NEAR_TYPOS_MAX 2u

/* How many letters must be added, dropped or changed to make one word of the other. */
unsigned near_typos(const char *a, const char *b);

#endif
