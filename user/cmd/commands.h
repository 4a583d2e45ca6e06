/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h - the verbs. Each gets the arguments after its name and returns the exit code. */
#ifndef CMD_COMMANDS_H
#define CMD_COMMANDS_H

#define GOTRACE_VERSION "0.1.0"

int cmd_record(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_cut(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_plan(int argc, char **argv);

#endif
