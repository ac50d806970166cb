/* group.h - the groups that options are shown in, in the order of the page.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_GROUP_H
#define CONF_GROUP_H

#define CONF_GROUP_TABLE(X)                    \
    X(APP, "Application")                      \
    X(NET, "Listening and HTTP")               \
    X(AUTH, "Who may do what")                 \
    X(DATA, "Data and durability")             \
    X(UPLOAD, "Uploads")                       \
    X(CHECK, "Checks of what is uploaded")     \
    X(COMPRESS, "Compression")                 \
    X(ELEMENT, "Storage element")              \
    X(BUCKET, "Storage element in a bucket")   \
    X(CAPACITY, "Capacity thresholds")         \
    X(SELECT, "Choice of the element")         \
    X(MONITOR, "Capacity monitor")             \
    X(PEER, "Other modules")                   \
    X(RESILIENCE, "Circuit breaker and sagas") \
    X(RATE, "Rate limits")                     \
    X(REDIS, "Redis")                          \
    X(DATABASE, "Databases")                   \
    X(LOG, "Logs")                             \
    X(OBS, "Health, metrics and traces")       \
    X(CLIENT, "Client commands")

enum conf_group {
#define X(name, title) CONF_G_##name,
    CONF_GROUP_TABLE(X)
#undef X
        CONF_GROUPS
};

extern const char *const conf_group_title[CONF_GROUPS];

#endif
