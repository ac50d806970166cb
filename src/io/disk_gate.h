/* disk_gate.h - a lock that all processes with a folder on one file system find
 * without being told where (port/disk.h, disk_gate_enter()).
 *
 * It is the highest folder of that file system that can be reached from theirs:
 * the mount point's, whatever lies below it and whoever owns it. Nothing is
 * written there; flock(2) asks for a descriptor only, and the kernel lets go of
 * it when a process dies. Containers that are given different folders of one
 * file system meet different ones, and so do users of whom one may not read the
 * mount point: for them there is no common gate.
 *
 * Whoever may read that folder can keep it locked, so nobody may depend on it:
 * the wait ends. SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_DISK_GATE_H
#define IO_DISK_GATE_H

/* A descriptor, the caller's to close; -1: none. FOLDER is one of ours. */
int disk_gate_find(int folder);
/* 0, or the error number: EBUSY after 100 ms, of which a thread may wait. */
int disk_gate_in(int gate);
void disk_gate_out(int gate);

#endif
