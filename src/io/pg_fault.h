/* pg_fault.h - what PostgreSQL says, as answers of ours (PostgreSQL manual,
 * appendix A: error codes). SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_PG_FAULT_H
#define IO_PG_FAULT_H

#include "base/err.h"
#include "io/pg.h"
#include <libpq-fe.h>

/* CODE is a SQLSTATE of five characters, or NULL when the server said none. */
enum err pg_err_of(const char *code);
enum pg_state pg_state_of(const char *code);
/* connection constraint timeout serialization other (PRD-052) */
const char *pg_class_of(const char *code);

/* "artstore at db1:5432" */
void pg_name_of(const PGconn *c, char out[PG_NAME_MAX]);

/* Fills *F from a result that is an error. */
enum err pg_fault_result(const char *name, const PGresult *r, const char *op,
                         struct fault *f);
/* From a connection that could not be made: with a hint. C is not NULL. */
enum err pg_fault_connect(PGconn *c, struct fault *f);
/* From one that broke. */
enum err
pg_fault_lost(const char *name, PGconn *c, const char *op, struct fault *f);

#endif
