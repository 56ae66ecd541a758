#include "wsgi/file_wrapper.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "py/type.h"

namespace celadon::wsgi {
namespace {

PyTypeObject* wrapper_type = nullptr;
PyObject* file_io = nullptr;          // io.FileIO
PyObject* buffered_reader = nullptr;  // io.BufferedReader
PyObject* buffered_random = nullptr;  // io.BufferedRandom

struct WrapperObject {
  PyObject_HEAD PyObject* file;
  Py_ssize_t block;
};
WrapperObject& self_of(PyObject* self) noexcept {
  return *reinterpret_cast<WrapperObject*>(self);
}

PyObject* wrapper_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) noexcept {
  static const char* names[] = {"filelike", "blksize", nullptr};
  PyObject* file = nullptr;
  Py_ssize_t block = 64 * 1024;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|n:file_wrapper",
                                   const_cast<char**>(names), &file, &block)) {
    return nullptr;
  }
  if (block < 1) {
    PyErr_SetString(PyExc_ValueError, "block size must be positive");
    return nullptr;
  }
  auto* self = reinterpret_cast<WrapperObject*>(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  self->file = py::new_ref(file);
  self->block = block;
  return reinterpret_cast<PyObject*>(self);
}

PyObject* wrapper_iter(PyObject* self) noexcept {
  return py::new_ref(self);
}

PyObject* wrapper_next(PyObject* self) noexcept {
  py::Object data(
      PyObject_CallMethod(self_of(self).file, "read", "n", self_of(self).block));
  if (!data) return nullptr;
  const int more = PyObject_IsTrue(data.get());
  return more > 0 ? data.release() : nullptr;
}

PyObject* wrapper_close(PyObject* self, PyObject*) noexcept {
  const py::Object close(PyObject_GetAttrString(self_of(self).file, "close"));
  if (!close) {
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return nullptr;
    PyErr_Clear();
    return py::none();
  }
  return PyObject_CallNoArgs(close.get());
}

int wrapper_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(self_of(self).file);
  return 0;
}
int wrapper_clear(PyObject* self) noexcept {
  Py_CLEAR(self_of(self).file);
  return 0;
}
void wrapper_dealloc(PyObject* self) noexcept {
  PyObject_GC_UnTrack(self);
  wrapper_clear(self);
  py::free_object(self);
}

PyMethodDef methods[] = {{"close", wrapper_close, METH_NOARGS, "Close the file."},
                         {nullptr, nullptr, 0, nullptr}};
PyMemberDef members[] = {
    {"filelike", T_OBJECT, offsetof(WrapperObject, file), READONLY, "The file."},
    {"blksize", T_PYSSIZET, offsetof(WrapperObject, block), READONLY,
     "Bytes per block."},
    {nullptr, 0, 0, 0, nullptr}};
PyType_Slot slots[] = {{Py_tp_new, py::as_slot(wrapper_new)},
                       {Py_tp_dealloc, py::as_slot(wrapper_dealloc)},
                       {Py_tp_traverse, py::as_slot(wrapper_traverse)},
                       {Py_tp_clear, py::as_slot(wrapper_clear)},
                       {Py_tp_iter, py::as_slot(wrapper_iter)},
                       {Py_tp_iternext, py::as_slot(wrapper_next)},
                       {Py_tp_methods, methods},
                       {Py_tp_members, members},
                       {0, nullptr}};
PyType_Spec spec{"celadon._core.FileWrapper", sizeof(WrapperObject), 0,
                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots};

bool has_type(PyObject* object, PyObject* type) noexcept {
  return reinterpret_cast<PyObject*>(Py_TYPE(object)) == type;
}

// A FileIO, or a plain buffer right above one.
bool is_plain_file(PyObject* file) noexcept {
  if (has_type(file, file_io)) return true;
  if (!has_type(file, buffered_reader) && !has_type(file, buffered_random))
    return false;
  const py::Object raw(PyObject_GetAttrString(file, "raw"));
  return raw && has_type(raw.get(), file_io);
}

// Such files are made while they are read: their size says nothing.
bool is_made_by_kernel(int fd) noexcept {
  constexpr unsigned long kConfigFs = 0x62656570;  // which linux/magic.h lacks
  struct statfs info{};
  if (::fstatfs(fd, &info) < 0) return true;
  switch (static_cast<unsigned long>(info.f_type) & 0xffffffff) {
    case kConfigFs:
    case BPF_FS_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case EFIVARFS_MAGIC:
    case PROC_SUPER_MAGIC:
    case PSTOREFS_MAGIC:
    case SECURITYFS_MAGIC:
    case SELINUX_MAGIC:
    case SYSFS_MAGIC:
    case TRACEFS_MAGIC: return true;
    default: return false;
  }
}

bool is_of_tempfile(PyObject* file) noexcept {
  const py::Object name(PyUnicode_FromString("tempfile"));
  const py::Object module(name ? PyImport_GetModule(name.get()) : nullptr);
  if (!module) return false;
  const py::Object type(PyObject_GetAttrString(module.get(), "_TemporaryFileWrapper"));
  return type && has_type(file, type.get());
}

py::Object unwrap(PyObject* file) noexcept {
  if (is_plain_file(file)) return py::Object::copy(file);
  // Whoever else has a `file` may give other bytes than that has.
  if (!is_of_tempfile(file)) return {};
  py::Object inner(PyObject_GetAttrString(file, "file"));
  if (inner && is_plain_file(inner.get())) return inner;
  return {};
}

bool read_range(PyObject* file, FileRange& range) noexcept {
  const py::Object plain = unwrap(file);
  if (!plain) return false;
  const int fd = PyObject_AsFileDescriptor(plain.get());
  const py::Object position(fd < 0 ? nullptr
                                   : PyObject_CallMethod(plain.get(), "tell", nullptr));
  if (!position) return false;
  const long long offset = PyLong_AsLongLong(position.get());
  struct stat info{};
  if (offset < 0 || ::fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) return false;
  // One of no bytes may have some all the same.
  if (info.st_size == 0 || is_made_by_kernel(fd)) return false;
  range.fd = fd;
  range.offset = offset;
  range.size =
      info.st_size > offset ? static_cast<std::uint64_t>(info.st_size - offset) : 0;
  return true;
}

}  // namespace

bool is_file_wrapper(PyObject* object) noexcept {
  return Py_TYPE(object) == wrapper_type;
}

FileRange file_range(PyObject* wrapper) noexcept {
  FileRange range;
  if (!read_range(self_of(wrapper).file, range)) {
    PyErr_Clear();
    return {};
  }
  return range;
}

PyObject* file_wrapper_type() noexcept {
  return reinterpret_cast<PyObject*>(wrapper_type);
}

int add_file_wrapper_type(PyObject* module) noexcept {
  const py::Object io(PyImport_ImportModule("io"));
  if (!io) return -1;
  file_io = PyObject_GetAttrString(io.get(), "FileIO");
  buffered_reader = PyObject_GetAttrString(io.get(), "BufferedReader");
  buffered_random = PyObject_GetAttrString(io.get(), "BufferedRandom");
  if (!file_io || !buffered_reader || !buffered_random) return -1;
  wrapper_type = py::add_type(module, spec);
  return wrapper_type ? 0 : -1;
}

}  // namespace celadon::wsgi
