/* head_digest.h - one number for all that a head holds: samples, histograms, metadata, exemplars, bit by bit. */
#ifndef TESTS_LIB_HEAD_DIGEST_H
#define TESTS_LIB_HEAD_DIGEST_H

#include "head/head.h"

uint64_t head_digest(struct head *head);

#endif
