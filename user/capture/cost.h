/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cost.h - what a trap costs on this machine, measured on ourselves.
 */
#ifndef CAPTURE_COST_H
#define CAPTURE_COST_H

#include "base/base.h"

/*
 * CPU ns of one hit of an emulated uprobe whose program does nothing: the median of some rounds on a site in our own
 * code. Takes some 50 ms. 0: could not be measured.
 */
double cost_of_trap_ns(void);

#endif
