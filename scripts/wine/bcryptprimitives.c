/* bcryptprimitives.dll for a Wine that has none: Go takes its random numbers
 * from ProcessPrng. Built by the tests beside the programs that they run. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length); /* RtlGenRandom */

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length)
{
    return SystemFunction036(data, (ULONG)length);
}
