// demo runs workloads and prints the truth about them: demo -w http,gc -d 5s. See demo -list.
package main

import "gotrace.test/workloads/work"

func main() { work.Main("demo") }
