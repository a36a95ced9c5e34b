/* version.h - what this build calls itself; set by the Makefile. */
#ifndef SERVER_VERSION_H
#define SERVER_VERSION_H

const char *gnomon_version(void);  /* "0.1.0" */
const char *gnomon_revision(void); /* commit, or "unknown" */

#endif
