// usertask is demo with the workload "user": it annotates itself with tasks, regions and logs.
package main

import (
	_ "gotrace.test/workloads/tasks"
	"gotrace.test/workloads/work"
)

func main() { work.Main("usertask") }
