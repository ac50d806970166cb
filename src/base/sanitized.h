/* sanitized.h - for tests that do the same many times: a sanitizer looks at the
 * code, and sees after a few times what there is to see, while each takes it
 * three to thirty times as long. That what is done often goes well often, the
 * plain build shows. No case, no row of a table, no kind of fault may depend on
 * it. SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SANITIZED_H
#define BASE_SANITIZED_H

#include "base/base.h"

#if !defined(__has_feature) /* Clang has it, GCC the macros */
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define SANITIZED_THREAD 1
#else
#define SANITIZED_THREAD 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SANITIZED_ADDRESS 1
#else
#define SANITIZED_ADDRESS 0
#endif

#define SANITIZED (SANITIZED_ADDRESS || SANITIZED_THREAD)

/* How often: FEW under a sanitizer. */
#define TIMES(many, few) (SANITIZED ? (few) : (many))

#endif
