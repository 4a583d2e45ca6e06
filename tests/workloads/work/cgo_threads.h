int work_add(int a, int b);
void work_sleep_us(int us);
void work_call_back(int n);
/* n threads that C made, each of which calls Go `calls` times; returns when all have ended. */
void work_threads(int n, int calls);
