// A PJRT plugin for tests: one device, whose memory is the host's. Programs are compiled and run by
// two functions that the test hands over. Compiled with -DMODE=n it is one of the plugins that must
// be refused.

#include <stdlib.h>
#include <string.h>

#include "pjrt_c_api.h"

#define WORKS 0
#define NO_SYMBOL 1
#define NO_TABLE 2
#define OTHER_MAJOR 3
#define SHORT_TABLE 4
#define NO_DEVICE 5
#define NO_MEMORY 6
#define NO_DEVICES 7
#define BAD_OPTION 8

#ifndef MODE
#define MODE WORKS
#endif

struct PJRT_Error { PJRT_Error_Code code; char text[512]; };
struct PJRT_Buffer { PJRT_Buffer_Type type; int64_t rank, dims[8]; void *data; int64_t bytes; };
struct PJRT_LoadedExecutable { int program; size_t outputs; };
struct PJRT_Executable { size_t outputs; };
struct PJRT_Device { int unused; };
struct PJRT_Event { int unused; };
struct PJRT_Client { char options[256]; };

static struct PJRT_Device device, *devices[] = {&device};
static struct PJRT_Client client;

// What the test hands over. Both return an error code, and then what went wrong in text.
static int (*compile)(const char *code, size_t size, int *program, size_t *outputs, char *text);
static int (*execute)(int program, struct PJRT_Buffer **in, size_t inputs, struct PJRT_Buffer **out, size_t outputs, char *text);
static int64_t alive; // buffers

void spgd_fake_begin(void *c, void *e) { compile = c; execute = e; }
int64_t spgd_fake_alive(void) { return alive; }
const char *spgd_fake_options(void) { return client.options; }

static PJRT_Error *fail(int code, const char *text) {
	PJRT_Error *e = malloc(sizeof *e);
	e->code = code;
	strncpy(e->text, text, sizeof e->text - 1);
	e->text[sizeof e->text - 1] = 0;
	return e;
}

static void Error_Destroy(PJRT_Error_Destroy_Args *a) { free(a->error); }
static void Error_Message(PJRT_Error_Message_Args *a) { a->message = a->error->text; a->message_size = strlen(a->error->text); }
static PJRT_Error *Error_GetCode(PJRT_Error_GetCode_Args *a) { a->code = a->error->code; return NULL; }
static PJRT_Error *Plugin_Initialize(PJRT_Plugin_Initialize_Args *a) { return NULL; }
static PJRT_Error *Plugin_Attributes(PJRT_Plugin_Attributes_Args *a) { a->num_attributes = 0; return NULL; }
static PJRT_Error *Event_Destroy(PJRT_Event_Destroy_Args *a) { free(a->event); return NULL; }
static PJRT_Error *Event_Await(PJRT_Event_Await_Args *a) { return NULL; }

static PJRT_Error *Client_Create(PJRT_Client_Create_Args *a) {
	client.options[0] = 0;
	for (size_t i = 0; i < a->num_options; i++) {
		const PJRT_NamedValue *o = &a->create_options[i];
		strncat(client.options, o->name, o->name_size);
		if (o->type == PJRT_NamedValue_kBool) strcat(client.options, o->bool_value ? "=true;" : "=false;");
		else if (o->type == PJRT_NamedValue_kInt64List) {
			char digit[] = "=0;";
			digit[1] += o->int64_array_value[0] % 10;
			strcat(client.options, o->value_size == 1 ? digit : "=?;");
		}
	}
	switch (MODE) {
	case NO_DEVICE: return fail(13, "INTERNAL: CUDA error: Failed call to cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected");
	case NO_MEMORY: return fail(8, "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 123 bytes.\nmore lines");
	case BAD_OPTION: return fail(3, "INVALID_ARGUMENT: Unexpected option name passed to PJRT_Client_Create");
	}
	a->client = &client;
	return NULL;
}
static PJRT_Error *Client_Destroy(PJRT_Client_Destroy_Args *a) { return NULL; }
static PJRT_Error *Client_PlatformName(PJRT_Client_PlatformName_Args *a) { a->platform_name = "fake"; a->platform_name_size = 4; return NULL; }
static PJRT_Error *Client_PlatformVersion(PJRT_Client_PlatformVersion_Args *a) { a->platform_version = "1"; a->platform_version_size = 1; return NULL; }
static PJRT_Error *Client_ProcessIndex(PJRT_Client_ProcessIndex_Args *a) { a->process_index = 0; return NULL; }
static PJRT_Error *Client_AddressableDevices(PJRT_Client_AddressableDevices_Args *a) {
	a->addressable_devices = devices;
	a->num_addressable_devices = MODE == NO_DEVICES ? 0 : 1;
	return NULL;
}
static PJRT_Error *Device_LocalHardwareId(PJRT_Device_LocalHardwareId_Args *a) { a->local_hardware_id = 0; return NULL; }
static PJRT_Error *Device_IsAddressable(PJRT_Device_IsAddressable_Args *a) { a->is_addressable = true; return NULL; }
static PJRT_Error *Device_GetDescription(PJRT_Device_GetDescription_Args *a) { a->device_description = (PJRT_DeviceDescription *)a->device; return NULL; }
static PJRT_Error *DeviceDescription_ProcessIndex(PJRT_DeviceDescription_ProcessIndex_Args *a) { a->process_index = 0; return NULL; }
static PJRT_Error *DeviceDescription_DebugString(PJRT_DeviceDescription_DebugString_Args *a) {
	a->debug_string = "fake device";
	a->debug_string_size = strlen(a->debug_string);
	return NULL;
}

static int64_t element(PJRT_Buffer_Type t) {
	switch (t) {
	case PJRT_Buffer_Type_PRED: case PJRT_Buffer_Type_S8: case PJRT_Buffer_Type_U8: return 1;
	case PJRT_Buffer_Type_BF16: case PJRT_Buffer_Type_F16: case PJRT_Buffer_Type_S16: case PJRT_Buffer_Type_U16: return 2;
	case PJRT_Buffer_Type_F64: case PJRT_Buffer_Type_S64: case PJRT_Buffer_Type_U64: case PJRT_Buffer_Type_C64: return 8;
	case PJRT_Buffer_Type_C128: return 16;
	default: return 4;
	}
}

PJRT_Buffer *spgd_fake_buffer(int type, int64_t rank, const int64_t *dims) {
	PJRT_Buffer *b = calloc(1, sizeof *b);
	b->type = type;
	b->rank = rank;
	b->bytes = element(type);
	for (int64_t i = 0; i < rank; i++) b->bytes *= b->dims[i] = dims[i];
	b->data = malloc(b->bytes ? b->bytes : 1);
	alive++;
	return b;
}

static PJRT_Error *Client_BufferFromHostBuffer(PJRT_Client_BufferFromHostBuffer_Args *a) {
	a->buffer = spgd_fake_buffer(a->type, a->num_dims, a->dims);
	memcpy(a->buffer->data, a->data, a->buffer->bytes);
	a->done_with_host_buffer = calloc(1, sizeof(PJRT_Event));
	return NULL;
}
static PJRT_Error *Buffer_Destroy(PJRT_Buffer_Destroy_Args *a) {
	free(a->buffer->data);
	free(a->buffer);
	alive--;
	return NULL;
}
static PJRT_Error *Buffer_ElementType(PJRT_Buffer_ElementType_Args *a) { a->type = a->buffer->type; return NULL; }
static PJRT_Error *Buffer_Dimensions(PJRT_Buffer_Dimensions_Args *a) { a->dims = a->buffer->dims; a->num_dims = a->buffer->rank; return NULL; }
static PJRT_Error *Buffer_Device(PJRT_Buffer_Device_Args *a) { a->device = &device; return NULL; }
static PJRT_Error *Buffer_ToHostBuffer(PJRT_Buffer_ToHostBuffer_Args *a) {
	if (a->dst == NULL) {
		a->dst_size = a->src->bytes;
		return NULL;
	}
	if ((int64_t)a->dst_size < a->src->bytes) return fail(3, "INVALID_ARGUMENT: too small");
	memcpy(a->dst, a->src->data, a->src->bytes);
	a->event = calloc(1, sizeof(PJRT_Event));
	return NULL;
}

static PJRT_Error *Client_Compile(PJRT_Client_Compile_Args *a) {
	char text[512] = "";
	PJRT_LoadedExecutable *e = calloc(1, sizeof *e);
	int code = compile(a->program->code, a->program->code_size, &e->program, &e->outputs, text);
	if (code) {
		free(e);
		return fail(code, text);
	}
	a->executable = e;
	return NULL;
}
static PJRT_Error *LoadedExecutable_Destroy(PJRT_LoadedExecutable_Destroy_Args *a) { free(a->executable); return NULL; }
static PJRT_Error *LoadedExecutable_GetExecutable(PJRT_LoadedExecutable_GetExecutable_Args *a) {
	a->executable = calloc(1, sizeof(PJRT_Executable));
	a->executable->outputs = a->loaded_executable->outputs;
	return NULL;
}
static PJRT_Error *LoadedExecutable_Execute(PJRT_LoadedExecutable_Execute_Args *a) {
	char text[512] = "";
	int code = execute(a->executable->program, (PJRT_Buffer **)a->argument_lists[0], a->num_args, a->output_lists[0], a->executable->outputs, text);
	if (code) return fail(code, text);
	if (a->device_complete_events) a->device_complete_events[0] = calloc(1, sizeof(PJRT_Event));
	return NULL;
}
static PJRT_Error *Executable_Destroy(PJRT_Executable_Destroy_Args *a) { free(a->executable); return NULL; }
static PJRT_Error *Executable_Name(PJRT_Executable_Name_Args *a) { a->executable_name = "fake"; a->executable_name_size = 4; return NULL; }
static PJRT_Error *Executable_NumOutputs(PJRT_Executable_NumOutputs_Args *a) { a->num_outputs = a->executable->outputs; return NULL; }
static PJRT_Error *Executable_GetCompiledMemoryStats(PJRT_Executable_GetCompiledMemoryStats_Args *a) { return NULL; }

static PJRT_Api api = {
	.struct_size = MODE == SHORT_TABLE ? 400 : sizeof(PJRT_Api),
	.pjrt_api_version = {.struct_size = sizeof(PJRT_Api_Version), .major_version = MODE == OTHER_MAJOR ? 7 : PJRT_API_MAJOR, .minor_version = PJRT_API_MINOR},
#define HAS(f) .PJRT_##f = f
	HAS(Error_Destroy), HAS(Error_Message), HAS(Error_GetCode), HAS(Plugin_Initialize), HAS(Plugin_Attributes), HAS(Event_Destroy), HAS(Event_Await),
	HAS(Client_Create), HAS(Client_Destroy), HAS(Client_PlatformName), HAS(Client_PlatformVersion), HAS(Client_ProcessIndex), HAS(Client_AddressableDevices),
	HAS(Client_Compile), HAS(Client_BufferFromHostBuffer), HAS(Device_LocalHardwareId), HAS(Device_IsAddressable), HAS(Device_GetDescription),
	HAS(DeviceDescription_ProcessIndex), HAS(DeviceDescription_DebugString), HAS(Buffer_Destroy), HAS(Buffer_ElementType), HAS(Buffer_Dimensions),
	HAS(Buffer_Device), HAS(Buffer_ToHostBuffer), HAS(LoadedExecutable_Destroy), HAS(LoadedExecutable_GetExecutable), HAS(LoadedExecutable_Execute),
	HAS(Executable_Destroy), HAS(Executable_Name), HAS(Executable_NumOutputs), HAS(Executable_GetCompiledMemoryStats),
};

#if MODE != NO_SYMBOL
const PJRT_Api *GetPjrtApi(void) { return MODE == NO_TABLE ? NULL : &api; }
#endif
