/*
 * A stub of computenetwork.dll for tests under Wine: the calls that Loam makes, with the types that Microsoft's reference gives
 * them. It remembers what is made, records every call, and plays failures on demand. It is no model of the service.
 */
#include <objbase.h>
#include <stdint.h>
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#define EXPORT __declspec(dllexport)
#define NOT_FOUND ((HRESULT)0x80070490)
#define ALREADY_EXISTS ((HRESULT)0x803B0010)

enum kind { NETWORK, ENDPOINT, NAMESPACE };
static const wchar_t *const kind_names[] = {L"Network", L"Endpoint", L"Namespace"};

/* Something that was made. Handles are pointers to these. */
struct thing {
  enum kind kind;
  GUID id;
  wchar_t *settings;
  BOOL is_there;
};

static struct thing things[64];
static wchar_t calls[1 << 16];
static LONG open_handles, live_texts;
static CRITICAL_SECTION lock;

static wchar_t planned_call[64];
static HRESULT planned_result;
static wchar_t *planned_record;
static DWORD planned_delay_ms;

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, LPVOID reserved) {
  (void)instance, (void)reserved;
  if (reason == DLL_PROCESS_ATTACH) InitializeCriticalSection(&lock);
  return TRUE;
}

/* Text that the caller has to give back with CoTaskMemFree. */
static wchar_t *give(const wchar_t *text) {
  size_t bytes = (wcslen(text) + 1) * sizeof(wchar_t);
  wchar_t *copy = CoTaskMemAlloc(bytes);
  memcpy(copy, text, bytes);
  InterlockedIncrement(&live_texts);
  return copy;
}

static void name_of(const GUID *id, wchar_t *name) {
  StringFromGUID2(id, name, 40);
  /* Without the braces. */
  memmove(name, name + 1, 36 * sizeof(wchar_t));
  name[36] = 0;
}

/* Notes a call, waits if so planned, and says whether it is to fail. */
static BOOL begins(const wchar_t *verb, enum kind kind, const wchar_t *suffix, const GUID *id, const wchar_t *text,
                   wchar_t **record, HRESULT *result) {
  wchar_t call[64], name[40] = L"-";
  BOOL is_planned;
  DWORD delay = 0;
  swprintf(call, 64, L"Hcn%ls%ls%ls", verb, kind_names[kind], suffix);
  if (id) name_of(id, name);
  if (record) *record = NULL;
  EnterCriticalSection(&lock);
  size_t used = wcslen(calls);
  swprintf(calls + used, sizeof calls / sizeof *calls - used, L"%ls\t%ls\t%ls\t%lu\n", call, name, text ? text : L"-",
           GetCurrentThreadId());
  is_planned = wcscmp(call, planned_call) == 0;
  if (is_planned) {
    *planned_call = 0;
    delay = planned_delay_ms;
    *result = planned_result;
    if (planned_record && record) *record = give(planned_record);
    /* Success with a record is a failure, too: it does nothing here. */
    is_planned = planned_result != S_OK || planned_record != NULL;
  }
  LeaveCriticalSection(&lock);
  if (delay) Sleep(delay);
  return is_planned;
}

static struct thing *find(enum kind kind, const GUID *id) {
  for (size_t at = 0; at < sizeof things / sizeof *things; at++)
    if (things[at].is_there && things[at].kind == kind && IsEqualGUID(&things[at].id, id)) return &things[at];
  return NULL;
}

static HRESULT refuse(HRESULT result, const wchar_t *record_text, wchar_t **record) {
  if (record) *record = give(record_text);
  return result;
}

static HRESULT make(enum kind kind, const GUID *id, const wchar_t *settings, void **handle, wchar_t **record) {
  HRESULT result = E_FAIL;
  if (begins(L"Create", kind, L"", id, settings, record, &result)) return result;
  if (find(kind, id)) return refuse(ALREADY_EXISTS, L"{\"Error\":\"It exists already.\"}", record);
  for (size_t at = 0; at < sizeof things / sizeof *things; at++) {
    if (things[at].is_there) continue;
    things[at] = (struct thing){kind, *id, _wcsdup(settings), TRUE};
    *handle = &things[at];
    InterlockedIncrement(&open_handles);
    return S_OK;
  }
  return E_OUTOFMEMORY;
}

static HRESULT list(enum kind kind, const wchar_t *query, wchar_t **answer, wchar_t **record) {
  HRESULT result = E_FAIL;
  wchar_t text[64 * 40] = L"[", name[40];
  if (begins(L"Enumerate", kind, L"s", NULL, query, record, &result)) return result;
  for (size_t at = 0; at < sizeof things / sizeof *things; at++) {
    if (!things[at].is_there || things[at].kind != kind) continue;
    name_of(&things[at].id, name);
    if (wcslen(text) > 1) wcscat(text, L",");
    wcscat(wcscat(wcscat(text, L"\""), name), L"\"");
  }
  *answer = give(wcscat(text, L"]"));
  return S_OK;
}

static HRESULT open_one(enum kind kind, const GUID *id, void **handle, wchar_t **record) {
  HRESULT result = E_FAIL;
  struct thing *found = find(kind, id);
  if (begins(L"Open", kind, L"", id, NULL, record, &result)) return result;
  if (!found) return refuse(NOT_FOUND, L"{\"Error\":\"Element not found.\"}", record);
  *handle = found;
  InterlockedIncrement(&open_handles);
  return S_OK;
}

static HRESULT query_one(enum kind kind, struct thing *thing, const wchar_t *query, wchar_t **answer, wchar_t **record) {
  HRESULT result = E_FAIL;
  if (begins(L"Query", kind, L"Properties", &thing->id, query, record, &result)) return result;
  *answer = give(thing->settings);
  return S_OK;
}

static HRESULT close_one(enum kind kind, struct thing *thing) {
  HRESULT result = S_OK;
  begins(L"Close", kind, L"", &thing->id, NULL, NULL, &result);
  InterlockedDecrement(&open_handles);
  return S_OK;
}

static HRESULT delete_one(enum kind kind, const GUID *id, wchar_t **record) {
  HRESULT result = E_FAIL;
  struct thing *found = find(kind, id);
  if (begins(L"Delete", kind, L"", id, NULL, record, &result)) return result;
  if (!found) return refuse(NOT_FOUND, L"{\"Error\":\"Element not found.\"}", record);
  found->is_there = FALSE;
  return S_OK;
}

#define KIND(Name, KIND)                                                                                                  \
  EXPORT HRESULT WINAPI HcnEnumerate##Name##s(PCWSTR query, PWSTR *answer, PWSTR *record) {                               \
    return list(KIND, query, answer, record);                                                                             \
  }                                                                                                                       \
  EXPORT HRESULT WINAPI HcnOpen##Name(REFGUID id, void **handle, PWSTR *record) {                                         \
    return open_one(KIND, id, handle, record);                                                                            \
  }                                                                                                                       \
  EXPORT HRESULT WINAPI HcnQuery##Name##Properties(void *handle, PCWSTR query, PWSTR *answer, PWSTR *record) {            \
    return query_one(KIND, handle, query, answer, record);                                                                \
  }                                                                                                                       \
  EXPORT HRESULT WINAPI HcnClose##Name(void *handle) { return close_one(KIND, handle); }                                  \
  EXPORT HRESULT WINAPI HcnDelete##Name(REFGUID id, PWSTR *record) { return delete_one(KIND, id, record); }

KIND(Network, NETWORK)
KIND(Endpoint, ENDPOINT)
KIND(Namespace, NAMESPACE)

EXPORT HRESULT WINAPI HcnCreateNetwork(REFGUID id, PCWSTR settings, void **handle, PWSTR *record) {
  return make(NETWORK, id, settings, handle, record);
}

EXPORT HRESULT WINAPI HcnCreateNamespace(REFGUID id, PCWSTR settings, void **handle, PWSTR *record) {
  return make(NAMESPACE, id, settings, handle, record);
}

EXPORT HRESULT WINAPI HcnCreateEndpoint(void *network, REFGUID id, PCWSTR settings, void **handle, PWSTR *record) {
  if (((struct thing *)network)->kind != NETWORK) return E_HANDLE;
  return make(ENDPOINT, id, settings, handle, record);
}

EXPORT HRESULT WINAPI HcnModifyNamespace(void *handle, PCWSTR request, PWSTR *record) {
  HRESULT result = E_FAIL;
  struct thing *thing = handle;
  if (begins(L"Modify", NAMESPACE, L"", &thing->id, request, record, &result)) return result;
  return thing->kind == NAMESPACE ? S_OK : E_HANDLE;
}

/* Exported as CoTaskMemFree, in the place of ole32's, so that a text that nobody gives back is seen. */
void WINAPI counted_free(void *memory) {
  if (memory) InterlockedDecrement(&live_texts);
  CoTaskMemFree(memory);
}

/* The next such call takes that long and answers that; S_OK and no record leave it as it is. */
EXPORT void StubPlan(PCWSTR call, int32_t result, PCWSTR record, uint32_t delay_ms) {
  EnterCriticalSection(&lock);
  wcsncpy(planned_call, call, 63);
  planned_result = result;
  free(planned_record);
  planned_record = record ? _wcsdup(record) : NULL;
  planned_delay_ms = delay_ms;
  LeaveCriticalSection(&lock);
}

/* A line for each call since the last reset: name, GUID, document, thread; parted by tabs. */
EXPORT PCWSTR StubCalls(void) { return calls; }
EXPORT int32_t StubOpenHandles(void) { return open_handles; }
EXPORT int32_t StubLiveTexts(void) { return live_texts; }

EXPORT void StubReset(void) {
  EnterCriticalSection(&lock);
  for (size_t at = 0; at < sizeof things / sizeof *things; at++) {
    if (things[at].settings) free(things[at].settings);
    things[at] = (struct thing){0};
  }
  *calls = 0;
  *planned_call = 0;
  open_handles = live_texts = 0;
  LeaveCriticalSection(&lock);
}
